-- What no writer can get around: the books balance, are summed, and are only ever appended to.

-- A transfer has lines, which sum to zero (sum_postings sees to that); a post or void takes exactly what was held.
-- The settings of these functions leave only nested loops over indexes: plans are cached per session, and one made while
-- a table was empty would read it whole for ever after.
CREATE FUNCTION platform.check_transfer() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM platform.postings WHERE transfer_id = NEW.id) THEN
    RAISE EXCEPTION 'transfer % has no postings', NEW.key USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced';
  END IF;
  IF NEW.resolves IS NOT NULL THEN
    IF (SELECT phase FROM platform.transfers WHERE id = NEW.resolves) <> 'pending' THEN
      RAISE EXCEPTION 'transfer % resolves one that is not pending', NEW.key USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_resolves';
    END IF;
    IF EXISTS (
      SELECT 1 FROM platform.postings p
      WHERE p.transfer_id = NEW.resolves AND p.amount > 0
        AND p.amount <> -coalesce((SELECT sum(q.amount) FROM platform.postings q
                                   WHERE q.transfer_id = NEW.id AND q.account = p.account AND q.unit = p.unit), 0)) THEN
      RAISE EXCEPTION 'transfer % does not take what was held', NEW.key USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_resolves';
    END IF;
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transfer_balanced AFTER INSERT ON platform.transfers
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION platform.check_transfer();

-- Once per statement: the lines of a transfer are written together, sum to zero per unit and get no more; as none can be
-- changed or removed, that stays so. Balances follow.
CREATE FUNCTION platform.sum_postings() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added GROUP BY transfer_id, unit HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'postings of a transfer must be written together and sum to zero' USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced';
  END IF;
  IF EXISTS (
    SELECT 1 FROM (SELECT transfer_id, count(*) AS lines FROM added GROUP BY transfer_id) a
    WHERE a.lines <> (SELECT count(*) FROM platform.postings p WHERE p.transfer_id = a.transfer_id)) THEN
    RAISE EXCEPTION 'a transfer that has postings takes no more' USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced';
  END IF;
  -- not one upsert: the CHECK would look at the proposed row, a negative delta, before the conflict is resolved
  IF EXISTS (
    SELECT 1 FROM added a
    WHERE NOT EXISTS (SELECT 1 FROM platform.balances b WHERE b.account = a.account AND b.unit = a.unit)) THEN
    INSERT INTO platform.balances (account, unit, balance)
      SELECT DISTINCT account, unit, 0 FROM added ORDER BY account, unit ON CONFLICT DO NOTHING;
  END IF;
  -- always in the same order, so that two transactions never wait for each other
  PERFORM 1 FROM platform.balances b
    WHERE EXISTS (SELECT 1 FROM added a WHERE a.account = b.account AND a.unit = b.unit)
    ORDER BY b.account, b.unit FOR UPDATE;
  UPDATE platform.balances b SET balance = b.balance + d.delta
    FROM (SELECT account, unit, sum(amount) AS delta FROM added GROUP BY account, unit) d
    WHERE b.account = d.account AND b.unit = d.unit;
  RETURN NULL;
END $$;

CREATE TRIGGER postings_summed AFTER INSERT ON platform.postings
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION platform.sum_postings();

CREATE FUNCTION platform.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform.transfers FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform.postings FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform.audit_log FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- Listeners get ids only; the row is read afterwards. One wake-up per statement.
CREATE FUNCTION platform.notify_channel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify(TG_ARGV[0], '');
  RETURN NULL;
END $$;

CREATE TRIGGER outbox_notify AFTER INSERT ON platform.outbox FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('outbox');
CREATE TRIGGER operations_notify AFTER INSERT ON platform.operations FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('intents');
CREATE TRIGGER deliveries_notify AFTER INSERT ON platform.webhook_deliveries FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('intents');

CREATE FUNCTION platform.guard_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'balances follow postings and are never written by hand' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER follow_postings BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON platform.balances
  FOR EACH STATEMENT WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION platform.guard_balances();
