-- The engine of a shard wakes when an order was accepted; one wake-up a statement.
CREATE FUNCTION exchange.notify_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('orders', shard::text) FROM (SELECT DISTINCT shard FROM added) a;
  RETURN NULL;
END $$;

CREATE TRIGGER trades_notify AFTER INSERT ON exchange.trades
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION exchange.notify_orders();

-- A trade has six lines, and six look-ups of a foreign key cost a fifth of a batch: sum_postings looks once a transfer
-- instead. Transfers can neither be removed nor renumbered, so a line that had its transfer keeps it.
ALTER TABLE platform.postings DROP CONSTRAINT fk_postings_transfer_id_transfers;

-- Every look-up goes from the new lines to the tables: a subquery in an expression, or LATERAL with FOR UPDATE or OFFSET 0,
-- is never turned into a join. A join planned while the tables were small reads them whole as long as the session lives.
CREATE OR REPLACE FUNCTION platform.sum_postings() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added GROUP BY transfer_id, unit HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'postings of a transfer must be written together and sum to zero' USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced';
  END IF;
  IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT transfer_id FROM added) a
    WHERE (SELECT true FROM platform.transfers t WHERE t.id = a.transfer_id) IS NULL) THEN
    RAISE EXCEPTION 'a posting belongs to a transfer' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'fk_postings_transfer_id_transfers';
  END IF;
  IF EXISTS (
    SELECT 1 FROM (SELECT transfer_id, count(*) AS lines FROM added GROUP BY transfer_id) a
    WHERE a.lines <> (SELECT count(*) FROM platform.postings p WHERE p.transfer_id = a.transfer_id)) THEN
    RAISE EXCEPTION 'a transfer that has postings takes no more' USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced';
  END IF;
  -- not one upsert: the CHECK would look at the proposed row, a negative delta, before the conflict is resolved
  IF EXISTS (
    SELECT 1 FROM added a
    WHERE (SELECT true FROM platform.balances b WHERE b.account = a.account AND b.unit = a.unit) IS NULL) THEN
    INSERT INTO platform.balances (account, unit, balance)
      SELECT DISTINCT account, unit, 0 FROM added ORDER BY account, unit ON CONFLICT DO NOTHING;
  END IF;
  -- always in the same order, so that two transactions never wait for each other
  PERFORM 1 FROM (SELECT DISTINCT account, unit FROM added ORDER BY account, unit) a,
    LATERAL (SELECT 1 FROM platform.balances b WHERE b.account = a.account AND b.unit = a.unit FOR UPDATE) l;
  UPDATE platform.balances b SET balance = b.balance + k.delta
    FROM (SELECT l.place, d.delta FROM (SELECT account, unit, sum(amount) AS delta FROM added GROUP BY account, unit) d,
            LATERAL (SELECT s.ctid AS place FROM platform.balances s WHERE s.account = d.account AND s.unit = d.unit
                     OFFSET 0) l) k
    WHERE b.ctid = k.place;
  RETURN NULL;
END $$;
