"""Every scenario in which a real copier failed, and every odd input a venue sends, is replayed by tests that exist.

`SCENARIOS` are the numbers of the acceptance list, `INPUTS` the list of test inputs. Where a test says in its docstring
which scenario it replays ("B4 8"), it must stand here under that number.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tests.pages import ROOT

SCENARIOS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("the pause button was read by nobody", (
        "test_who_presses_pause_stops_the_next_group", "test_pausing_is_the_kill_switch",
        "test_pause_blacklist_and_rules_act_on_the_next_group",
    )),
    2: ("a blacklisted market came back when rules were saved", (
        "test_a_blacklisted_market_stays_out_when_rules_are_saved",
        "test_a_blacklisted_market_stays_so_when_rules_change",
    )),
    3: ("no breaker ever tripped", (
        "test_breaker_trips_at_its_limit_and_spares_reductions",
        "test_loss_windows_begin_at_midnight_and_seven_days_ago",
        "test_a_drawdown_latches_until_somebody_resets_it",
    )),
    4: ("minutes to the close were not read", (
        "test_a_market_that_closes_in_twenty_minutes_is_left_and_not_entered",
        "test_market_about_to_close_is_not_opened",
    )),
    5: ("what was not held was sold short", (
        "test_what_is_not_held_is_not_sold_and_what_is_held_is_all_that_is_sold",
        "test_sale_of_what_is_not_held_is_skipped", "test_sale_never_exceeds_the_position",
    )),
    6: ("more was bought than there was cash", (
        "test_what_cannot_be_paid_is_not_bought", "test_purchase_beyond_the_cash_is_skipped",
        "test_fee_beyond_the_cash_makes_the_fill_partial",
    )),
    7: ("three defaults for the bankroll, and none when it was 0", (
        "test_a_portfolio_without_a_bankroll_says_so", "test_executable_portfolios_begin_with_their_bankroll",
        "test_there_is_one_default_for_the_bankroll",
    )),
    8: ("ten groups at once went past the cap, in no order", (
        "test_ties_of_detect_time_are_decided_by_group_key", "test_ten_groups_at_once_stop_at_the_cap_in_their_order",
    )),
    9: ("a kill between attempt, fills and ledger doubled them", (
        "test_a_worker_killed_before_a_write_leaves_one_decision",
        "test_a_worker_killed_before_the_due_time_or_in_the_request_asks_once_more_at_most",
        "test_copying_survives_the_kill_of_everything_it_needs",
    )),
    10: ("a retry had another group key", (
        "test_a_group_has_the_key_of_its_event_time_whenever_it_is_read",
        "test_a_tape_gives_the_same_ledger_however_it_is_played",
    )),
    11: ("a kill lost the events in memory", (
        "test_sigkill_of_the_worker_loses_and_doubles_nothing", "test_a_lost_attempt_is_started_again",
    )),
    12: ("small trades that waited were lost", (
        "test_the_opposite_side_has_what_waits_executed_first",
        "test_what_stays_below_the_minimum_is_a_skip_with_its_user", "test_two_who_join_at_once_both_count",
        "test_small_trades_that_wait_survive_sigkill",
        "test_waiting_small_trades_have_their_own_minimum_and_are_not_lifted",
    )),
    13: ("settlement lost the payout, paid twice, or not at all", (
        "test_a_settlement_that_fails_half_way_leaves_nothing", "test_what_is_entered_again_is_settled_again",
        "test_every_scope_is_paid_at_the_payout_without_a_redemption",
    )),
    14: ("splits, merges and redemptions moved nothing", (
        "test_split_merge_and_sale_move_both_legs_and_cash", "test_a_page_full_of_trades_hides_no_split",
        "test_ten_thousand_events_leave_the_shadow_equal_to_the_venue",
    )),
    15: ("trades between polls, late ones and equal ones were lost or doubled, old ones copied", (
        "test_two_hundred_trades_between_polls_are_all_stored_once",
        "test_a_row_indexed_late_is_stored_though_younger_ones_came_first",
        "test_two_identical_fills_of_one_transaction_are_two", "test_a_cold_start_stores_what_happened_meanwhile",
        "test_positions_of_before_are_opening_entries_and_history_is_no_signal",
        "test_after_an_outage_openings_are_too_old_and_reductions_go_at_once",
    )),
    16: ("row and log made two fills, depending on which came first", (
        "test_a_log_of_the_chain_before_or_after_the_row_makes_one_fill",
    )),
    17: ("two followed wallets on both sides of a log", (
        "test_both_sides_of_a_match_are_followed_each_gets_its_own_trade_once",
    )),
    18: ("a removed log stayed booked", (
        "test_removed_logs_mark_their_row_and_a_new_block_makes_a_new_one",
        "test_the_trigger_writes_nothing_but_its_own_rows",
    )),
    19: ("one wallet was followed twice, written differently", (
        "test_a_wallet_is_followed_once_however_it_is_written", "test_a_mixed_case_wallet_is_lower_case_everywhere",
    )),
    20: ("trades without a market escaped its cap", (
        "test_exposure_by_market_holds_for_a_market_read_later",
        "test_a_trade_names_its_market_before_anybody_has_read_it",
        "test_market_that_became_known_later_counts",
    )),
    21: ("books were merged wrongly, and a bad one had a mid of 0.5", (
        "test_books_as_they_really_are", "test_books_arrive_and_are_the_clobs", "test_changes_of_levels_are_followed",
        "test_a_book_frame_is_the_book", "test_a_change_is_the_new_size_of_a_level_and_zero_removes_it",
        "test_stale_book_is_refused_when_a_limit_is_set", "test_one_sided_book_has_no_mid_and_is_skipped",
        "test_crossed_book_is_skipped",
    )),
    22: ("one 404 branded a token as resolved", (
        "test_one_missing_answer_brands_no_token_as_resolved", "test_books_as_they_really_are",
        "test_404_is_no_book_and_never_closed",
    )),
    23: ("a missing mark was 0.50", (
        "test_marks_are_mid_then_last_trade_then_payout_then_nothing",
        "test_position_without_a_mark_counts_at_cost_never_at_a_half",
        "test_snapshots_hold_what_was_booked_before_their_minute",
    )),
    24: ("changed rules acted minutes later, unchecked", (
        "test_the_rules_an_operator_reads_are_those_that_decide", "test_bad_rules_change_nothing",
        "test_pause_blacklist_and_rules_act_on_the_next_group",
    )),
    25: ("the page showed other rules than those in use", (
        "test_the_rules_an_operator_reads_are_those_that_decide", "test_rules_are_merged_when_they_change",
    )),
    26: ("skips left no trace", (
        "test_whatever_a_leader_does_leaves_an_attempt", "test_books_as_they_really_are",
        "test_no_book_two_seconds_after_due_is_a_skip_in_both_scopes",
    )),
    27: ("a whale's rate was floored to 0, its target lifted", (
        "test_whales_rate_is_told_in_full_and_its_target_is_not_lifted",
    )),
    28: ("a leader's exposure left out what he held before", (
        "test_a_leaders_exposure_counts_what_he_held_before",
    )),
    29: ("fills cost more than their target", (
        "test_a_fill_never_spends_more_than_its_target",
        "test_purchase_is_counted_at_our_price_so_it_stays_within_its_target",
    )),
    30: ("a deposit was profit", (
        "test_deposits_and_withdrawals_move_neither_profit_nor_drawdown", "test_deposit_moves_no_breaker",
        "test_deposit_moves_no_profit",
    )),
    31: ("the chart of a year took minutes", (
        "test_curves_of_a_year_of_minutes_take_less_than_two_seconds",
    )),
    32: ("a test of rules counted old attempts", (
        "test_other_rules_decide_skips_again_and_carry_their_own_portfolio", "test_the_rules_in_force_change_nothing",
    )),
    33: ("health stood behind the login, sessions outlived their account", (
        "test_health_is_public", "test_ready_names_what_is_missing", "test_who_is_disabled_loses_the_session",
    )),
    34: ("figures nobody measured were 0", (
        "test_what_was_not_measured_is_null_and_never_zero", "test_reports_show_what_happened",
    )),
    35: ("secrets stood in a runbook", ("test_ci_looks_for_secrets",)),
}  # fmt: skip
"""What was seen there, and the tests that replay it."""

OPEN: dict[int, str] = {}
"""Replayed in part only: docs/status.md says under this word what does not work yet."""

INPUTS: dict[str, tuple[str, ...]] = {
    "two identical fills in one transaction": (
        "test_identical_fills_of_one_transaction_are_all_there", "test_two_identical_fills_of_one_transaction_are_two",
    ),
    "a page boundary inside one transaction": (
        "test_a_page_boundary_inside_one_transaction_loses_nothing", "test_small_pages_cut_no_transaction",
    ),
    "delivery by poll and chain, in both orders": ("test_a_log_of_the_chain_before_or_after_the_row_makes_one_fill",),
    "outcome_index 999": ("test_outcome_index_999_changes_nothing", "test_rows_of_another_shape_are_the_same_rows"),
    "a mixed-case wallet": (
        "test_a_mixed_case_wallet_is_lower_case_everywhere", "test_rows_of_another_shape_are_the_same_rows",
    ),
    "a combo": ("test_a_combo_row_is_flagged", "test_combos_are_recorded_and_empty_merges_are_dropped"),
    "a merge of nothing": (
        "test_a_zero_size_merge_is_handed_over", "test_combos_are_recorded_and_empty_merges_are_dropped",
    ),
    "a redemption with and without token": (
        "test_a_redeem_with_and_without_token", "test_a_redemption_after_the_settlement_is_not_paid_again",
        "test_a_settlement_after_the_redemption_finds_nothing",
    ),
    "a split, then one leg sold": ("test_split_merge_and_sale_move_both_legs_and_cash",),
    "a merge while one leg is held": ("test_a_merge_while_we_hold_one_leg",),
    "a conversion of k of n": (
        "test_a_conversions_legs_come_from_its_receipt", "test_k_of_n_gives_the_legs_and_the_cash",
        "test_a_conversion_without_a_node_waits_and_is_never_guessed",
    ),
    "a payout of 50/50": (
        "test_every_scope_is_paid_at_the_payout_without_a_redemption", "test_a_half_payout_pays_half",
        "test_resolutions_tell_payouts_also_fractional_ones",
    ),
    "closed and not resolved": (
        "test_a_closed_market_is_not_resolved", "test_a_market_that_is_closed_and_not_resolved_is_not_settled",
    ),
    "a book unsorted, one-sided, locked, a placeholder": (
        "test_a_book_comes_out_best_first_however_it_was_sent", "test_a_book_without_a_mid_says_why",
        "test_a_locked_book_is_crossed", "test_a_placeholder_book_is_recognised", "test_books_as_they_really_are",
    ),
    "a changed tick": ("test_a_changed_tick_is_read", "test_a_new_tick_brings_a_new_book"),
    "a last trade of 0.5 without a side": ("test_the_last_trade_of_a_token_nobody_traded_is_no_price",),
    "a book of 404": ("test_404_is_no_book_and_never_closed", "test_books_as_they_really_are"),
    "429 with and without Retry-After, with a body of HTML": (
        "test_a_429_with_retry_after_closes_the_route_for_so_long",
        "test_a_429_without_retry_after_backs_off_for_longer_each_time",
        "test_a_block_by_the_proxy_is_waited_out_and_not_hammered", "test_a_venue_that_refuses_loses_no_row",
    ),
    "a page from the CDN's cache": (
        "test_a_page_from_the_cache_is_asked_for_once_more", "test_a_cache_that_goes_on_is_no_answer",
    ),
    "a log that was removed": (
        "test_removed_logs_mark_their_row_and_a_new_block_makes_a_new_one",
        "test_a_reorganisation_is_found_by_its_heads_when_no_log_says_removed",
    ),
    "subscribed and silent": (
        "test_subscribed_but_silent_is_found_by_what_the_api_shows",
        "test_a_subscribed_but_silent_socket_is_not_fresh_and_is_replaced",
    ),
    "a restart between decision and ledger": ("test_a_worker_killed_before_a_write_leaves_one_decision",),
    "two users, one token, one second": (
        "test_two_leaders_with_one_token_in_one_second_are_two_attempts",
        "test_two_leaders_in_one_token_and_second_have_groups_of_their_own",
        "test_ties_of_detect_time_are_decided_by_group_key",
    ),
    "a history that spans the change of exchanges": (
        "test_a_leaders_history_spans_the_change_of_exchanges", "test_history_of_the_first_exchange_is_only_known",
    ),
}  # fmt: skip


def _tests() -> dict[str, list[tuple[Path, str]]]:
    """Docstrings of all tests by name, with the file."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.setdefault(node.name, []).append((path, ast.get_docstring(node) or ""))
    return found


def _told(docstring: str) -> set[int]:
    """Scenarios that a docstring names: "B4 8", "B4 21, 22 and 26"."""
    lists = re.findall(r"B4 (\d+(?:(?:, | and )\d+)*)", docstring)
    return {int(number) for numbers in lists for number in re.findall(r"\d+", numbers)}


def test_every_scenario_is_replayed_by_tests_that_exist() -> None:
    there = _tests()
    assert sorted(SCENARIOS) == list(range(1, 36))
    wanted = {name for _, names in SCENARIOS.values() for name in names}
    wanted |= {name for names in INPUTS.values() for name in names}
    assert sorted(wanted - set(there)) == []
    assert [what for what, names in (*SCENARIOS.values(), *INPUTS.items()) if not names] == []
    for names in (*(names for _, names in SCENARIOS.values()), *INPUTS.values()):
        assert max(Counter(names).values()) == 1, names


def test_what_is_open_stands_in_the_status() -> None:
    missing = (ROOT / "docs/status.md").read_text().partition("## Does not work yet")[2].partition("\n## ")[0]
    assert [number for number, word in OPEN.items() if word not in missing] == []


def test_what_a_test_says_of_itself_stands_here() -> None:
    wrong = {
        (name, number)
        for name, found in _tests().items()
        for _, docstring in found
        for number in _told(docstring)
        if name not in SCENARIOS.get(number, ("", ()))[1]
    }
    assert wrong == set()


def test_there_is_one_default_for_the_bankroll() -> None:
    """B4 7."""
    places = [
        path.relative_to(ROOT).as_posix()
        for folder in ("domain", "storage", "activities", "workflows", "gateways", "composition", "api")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"bankroll.*10_000_000_000", path.read_text())
    ]
    assert places == []
    assert (ROOT / "settings" / "copytrade.py").read_text().count("10_000_000_000, ge=0") == 1


def test_ci_looks_for_secrets() -> None:
    """B4 35."""
    steps = (ROOT / ".github/workflows/ci.yml").read_text()
    assert "git ls-files -z | xargs -0 .venv/bin/detect-secrets-hook" in steps
