-- name: reserve
-- Room for a call in the principal's and the tenant's budgets.
SELECT granted, bound, month, scope, origin, budget, spent, reserved
FROM atrium.ledger_reserve(%(tenant_id)s, %(own_scope)s, %(own_id)s, ROW (
    %(call_id)s, %(kind)s, %(model)s, %(feature)s, %(bound)s, %(least)s, %(seconds)s,
    %(document_id)s, %(job_id)s, %(conversation_id)s, %(request_id)s)::atrium.ledger_call);

-- name: settle
-- What a call came to, once.
SELECT settled, overshoot
FROM atrium.ledger_settle(%(tenant_id)s, %(own_scope)s, %(own_id)s, %(call_id)s, ROW (
    %(outcome)s, %(cost)s, %(model)s, %(input_tokens)s, %(output_tokens)s, %(cached_tokens)s, %(units)s,
    %(milliseconds)s, %(counted)s, %(attempts)s, %(metric)s)::atrium.ledger_result);

-- name: record
-- A call that is over, in one.
SELECT atrium.ledger_record(%(tenant_id)s, %(own_scope)s, %(own_id)s,
    ROW (%(call_id)s, %(kind)s, %(planned_model)s, %(feature)s, %(bound)s, %(least)s, %(seconds)s,
         %(document_id)s, %(job_id)s, %(conversation_id)s, %(request_id)s)::atrium.ledger_call,
    ROW (%(outcome)s, %(cost)s, %(model)s, %(input_tokens)s, %(output_tokens)s, %(cached_tokens)s, %(units)s,
         %(milliseconds)s, %(counted)s, %(attempts)s, %(metric)s)::atrium.ledger_result) AS written;

-- name: abandon
-- Settle a call that nobody came back for.
SELECT atrium.ledger_abandon(%(tenant_id)s, %(call_id)s, %(metrics)s) AS settled;

-- name: unsettled
-- As atrium_relay: calls of all tenants whose time was over a day ago, the oldest first.
SELECT tenant_id, id FROM atrium.ledger_reservations
WHERE due_at < now() - interval '1 day' ORDER BY due_at LIMIT %(most)s;

-- name: fold_usage
-- Days long ago become the deployment's sums.
SELECT atrium.usage_fold_old() AS folded;

-- name: usage_figures
-- The deployment's usage, all tenants together.
SELECT provider, model, feature, calls, input_tokens, output_tokens, cached_tokens, cost FROM atrium.usage_figures();

-- name: usage_tell
-- What models were used for since this was asked last.
SELECT model, calls, input_tokens, output_tokens, cached_tokens, cost FROM atrium.usage_tell();

-- name: ledger_figures
-- Calls under way, and those that nobody came back for.
SELECT name, label, value FROM atrium.ledger_figures();

-- name: usage
-- A tenant's calls of some days, summed by what they are told apart by: days in their order, anything else dearest first. The first
-- row has no key and is all of them.
SELECT c.key, count(*) AS calls, count(*) FILTER (WHERE c.outcome = 'failed') AS failed,
       coalesce(sum(c.input_tokens), 0)::bigint AS input_tokens, coalesce(sum(c.output_tokens), 0)::bigint AS output_tokens,
       coalesce(sum(c.cached_tokens), 0)::bigint AS cached_tokens, coalesce(sum(c.units), 0)::bigint AS units,
       coalesce(sum(c.cost), 0)::bigint AS cost
FROM (
    SELECT e.outcome, e.input_tokens, e.output_tokens, e.cached_tokens, e.units, e.cost, coalesce(CASE %(group_by)s
               WHEN 'day' THEN to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
               WHEN 'model' THEN e.model WHEN 'provider' THEN e.provider WHEN 'feature' THEN e.feature
               WHEN 'user' THEN e.user_id::text WHEN 'api_key' THEN e.api_key_id::text WHEN 'document' THEN e.document_id::text
               WHEN 'job' THEN e.job_id::text WHEN 'conversation' THEN e.conversation_id::text END, '') AS key
    FROM atrium.ledger_entries e
    WHERE e.created_at >= %(first)s::date::timestamp AT TIME ZONE 'UTC'
      AND e.created_at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC') c
GROUP BY GROUPING SETS ((), (c.key))
ORDER BY grouping(c.key) DESC, CASE %(group_by)s WHEN 'day' THEN 0 ELSE sum(c.cost) END DESC, c.key
LIMIT %(most)s + 2;

-- name: limits
-- A page of a tenant's limits with this month's balances; the tenant's own first.
SELECT l.scope, l.scope_id, l.origin, l.monthly_budget, l.mode, l.rate, l.updated_at,
       coalesce(b.spent, 0) AS spent, coalesce(b.reserved, 0) AS reserved, coalesce(b.calls, 0) AS calls
FROM atrium.spending_limits l
LEFT JOIN atrium.ledger_balances b ON b.tenant_id = l.tenant_id AND b.scope_id = l.scope_id
     AND b.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date
WHERE (%(scope_id)s::uuid IS NULL OR l.scope_id = %(scope_id)s)
  AND (%(after_id)s::uuid IS NULL OR (l.scope <> 'tenant', l.scope_id, l.origin) > (%(after_others)s, %(after_id)s, %(after_origin)s))
ORDER BY l.scope <> 'tenant', l.scope_id, l.origin
LIMIT %(rows)s;

-- name: limit_own
-- A tenant limits itself, a user or a key.
SELECT atrium.limit_own(%(scope)s, %(scope_id)s, %(budget)s, %(mode)s, %(rate)s);

-- name: limit_tenant
-- The operator limits a tenant.
SELECT atrium.limit_tenant(%(tenant_id)s, %(budget)s, %(mode)s, %(rate)s, %(operator)s, %(proof)s, %(request_id)s) AS known;

-- name: has_member
-- Whether the tenant has such a user or key.
SELECT CASE %(scope)s
    WHEN 'user' THEN EXISTS (SELECT FROM atrium.users WHERE id = %(id)s)
    ELSE EXISTS (SELECT FROM atrium.api_keys WHERE id = %(id)s AND revoked_at IS NULL) END AS known;
