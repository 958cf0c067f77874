-- What happened on the chain is never changed.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON launchpad.sale_events FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON launchpad.tax_distributions FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- The sale feed looks when there is a new sale to follow, or a transaction that concerns one has landed.
CREATE TRIGGER sales_notify AFTER INSERT ON launchpad.sales FOR EACH STATEMENT EXECUTE FUNCTION platform.notify_channel('launchpad_sales');

-- Keys that may do everything with the system may do so with the launchpad too.
UPDATE platform.api_keys SET scopes = scopes || '{launchpad:read,launchpad:write}'::text[]
  WHERE scopes @> '{system:read,system:write}'::text[] AND NOT scopes @> '{launchpad:read}'::text[];
