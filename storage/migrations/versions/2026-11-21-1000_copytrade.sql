-- What was seen, decided and booked is never changed; corrections are new entries.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.trade_events FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.activity_events FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.group_members FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.group_inputs FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.copy_attempts FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.executable_fills FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.config_versions FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON copytrade.effective_configs FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- The portfolio engine looks when inputs came in; the feed when the chain told of something, or whom to follow changed.
CREATE TRIGGER inputs_notify AFTER INSERT ON copytrade.group_inputs FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('copytrade_inputs');
CREATE TRIGGER logs_notify AFTER INSERT ON copytrade.chain_logs FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('copytrade_trigger');
CREATE TRIGGER users_notify AFTER INSERT OR UPDATE ON copytrade.followed_users FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('copytrade_trigger');

-- GLOBAL rules with the defaults of CT-084 and CT-101 (domain/copytrade/config.py; a test compares them).
WITH v AS (
  INSERT INTO copytrade.config_versions (scope, config, actor, reason)
  VALUES ('GLOBAL', '{"guardrails": {"max_worsening_vs_their_fill_micros": 10000, "max_over_mid_micros": 15000, "max_spread_micros": 20000, "min_depth_multiplier_bps": 12500, "no_new_opens_within_minutes_to_close": 30, "unknown_close": "allow", "decision_latency_ms": 750, "jitter_ms_max": 250, "aggregation_window_ms": 2000, "max_copy_age_ms": 60000, "max_book_age_ms": null, "max_buy_cost_per_share_micros": null, "max_total_exposure_bps": 7000, "max_exposure_per_market_bps": 500, "max_exposure_per_event_bps": 1000, "max_exposure_per_user_bps": 2000, "daily_loss_limit_bps": 300, "weekly_loss_limit_bps": 800, "max_drawdown_limit_bps": 1200, "fee_model": "schedule", "fixed_fee_ppm": 0}, "sizing": {"sizing_mode": "fixed_rate", "copy_pct_notional_bps": 100, "min_trade_notional_micros": 5000000, "max_trade_notional_micros": 250000000, "max_trade_bankroll_bps": 75, "below_minimum": "clamp", "min_leader_trade_notional_micros": 0, "budgeted_dynamic_enabled": false, "budget_micros": 0, "budget_rate_min_ppm": 0, "budget_rate_max_ppm": 10000, "budget_enforcement": "hard"}, "small_trades": {"enabled": false, "threshold_micros": 250000, "flush_minimum_micros": 500000, "execution_minimum_micros": 100000, "longest_ms": 2500, "quiet_ms": 600, "netting": "same_side_only"}}', 'setup', 'defaults')
  RETURNING version, config
)
INSERT INTO copytrade.effective_configs (general_version, config) SELECT version, config FROM v;

-- Keys that may do everything with the system may do so with copytrade too.
UPDATE platform.api_keys SET scopes = scopes || '{copytrade:read,copytrade:write}'::text[]
  WHERE scopes @> '{system:read,system:write}'::text[] AND NOT scopes @> '{copytrade:read}'::text[];
