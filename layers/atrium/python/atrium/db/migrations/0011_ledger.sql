-- Money: what every call may cost is reserved before it goes out, and what it did cost is settled after. Amounts are whole
-- nano-dollars. A budget is enforced when something is reserved and at no other time, so settling never fails.
--
-- Rows of calls have no foreign key to the tenant: its check would lock the tenant's row in every call, and an erasure looks for
-- late rows anyway.

-- The operator's ceilings (`platform`) and what a tenant sets for itself (`tenant`): both hold.
CREATE TABLE atrium.spending_limits (
    tenant_id       uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    scope_id        uuid NOT NULL,                               -- the tenant's, the user's or the key's id
    origin          text NOT NULL CHECK (origin IN ('platform', 'tenant')),
    scope           text NOT NULL CHECK (scope IN ('tenant', 'user', 'api_key')),
    monthly_budget  bigint CHECK (monthly_budget >= 0),          -- null: none
    mode            text NOT NULL DEFAULT 'hard' CHECK (mode IN ('hard', 'soft')),
    rate            integer CHECK (rate BETWEEN 1 AND 1000000),  -- requests a second; null: the deployment's
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scope_id, origin),
    CHECK ((scope = 'tenant') = (scope_id = tenant_id)),
    CHECK (origin = 'tenant' OR scope = 'tenant')
);
CALL atrium.protect('atrium.spending_limits');
GRANT SELECT ON atrium.spending_limits TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.spending_limits TO atrium_definer;

-- What is spent and reserved in a month (UTC), by tenant, user and key. The tenant's row is the one that all its calls share.
CREATE TABLE atrium.ledger_balances (
    tenant_id      uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    month          date NOT NULL,
    scope_id       uuid NOT NULL,
    scope          text NOT NULL CHECK (scope IN ('tenant', 'user', 'api_key')),
    spent          bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved       bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    calls          bigint NOT NULL DEFAULT 0,
    platform_told  smallint NOT NULL DEFAULT 0,                  -- per cent of each budget that an event told of already
    tenant_told    smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, month, scope_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CALL atrium.protect('atrium.ledger_balances');
GRANT SELECT ON atrium.ledger_balances TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.ledger_balances TO atrium_definer;

-- Calls that went out and did not come back yet.
CREATE TABLE atrium.ledger_reservations (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    month            date NOT NULL,                              -- whose balance it is in, whenever it ends
    kind             text NOT NULL,
    model            text NOT NULL,                              -- `provider/name`
    feature          text NOT NULL,
    user_id          uuid,
    api_key_id       uuid,
    document_id      uuid,
    job_id           uuid,
    conversation_id  uuid,
    request_id       text NOT NULL DEFAULT '',
    bound            bigint NOT NULL CHECK (bound >= 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    due_at           timestamptz NOT NULL,                       -- unsettled after it: nobody knows what became of it
    PRIMARY KEY (tenant_id, id),
    CHECK (num_nonnulls(user_id, api_key_id) < 2)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX ledger_reservations_due ON atrium.ledger_reservations (due_at);                 -- the sweep
CALL atrium.protect('atrium.ledger_reservations');
CREATE POLICY relay ON atrium.ledger_reservations FOR SELECT TO atrium_relay USING (true);
GRANT SELECT (tenant_id, id, due_at) ON atrium.ledger_reservations TO atrium_relay;
GRANT SELECT ON atrium.ledger_reservations TO atrium_app;
GRANT SELECT, INSERT ON atrium.ledger_reservations TO atrium_definer;

-- What every call came to. Rows are never changed.
CREATE TABLE atrium.ledger_entries (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('chat', 'embedding', 'ocr', 'training')),
    provider         text NOT NULL,
    model            text NOT NULL,                              -- what answered, also after a fallback
    feature          text NOT NULL,
    user_id          uuid,
    api_key_id       uuid,
    document_id      uuid,
    job_id           uuid,
    conversation_id  uuid,
    request_id       text NOT NULL,
    input_tokens     bigint NOT NULL,
    output_tokens    bigint NOT NULL,
    cached_tokens    bigint NOT NULL,
    units            bigint NOT NULL,                            -- pages of OCR
    cost             bigint NOT NULL CHECK (cost >= 0),
    bound            bigint NOT NULL,                            -- what was reserved
    outcome          text NOT NULL CHECK (outcome IN ('ok', 'failed', 'cancelled', 'cut', 'unknown')),
    counted          boolean NOT NULL,                           -- by the provider; else by us
    milliseconds     bigint NOT NULL,
    attempts         jsonb NOT NULL,
    created_at       timestamptz NOT NULL,                       -- when it was reserved: its day and its month
    settled_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ledger_entries_created ON atrium.ledger_entries (tenant_id, created_at);        -- GET /admin/usage
CREATE INDEX ledger_entries_time ON atrium.ledger_entries USING brin (settled_at);           -- looking through all tenants by time
CALL atrium.protect('atrium.ledger_entries');
GRANT SELECT ON atrium.ledger_entries TO atrium_app;
GRANT SELECT, INSERT ON atrium.ledger_entries TO atrium_definer;

-- Sums for GET /metrics.
CREATE TABLE atrium.usage_daily (
    tenant_id      uuid NOT NULL,
    day            date NOT NULL,
    model          text NOT NULL,                                -- as metrics call it: of the catalogue, or `provider/other`
    feature        text NOT NULL,
    provider       text NOT NULL,
    calls          bigint NOT NULL,
    input_tokens   bigint NOT NULL,
    output_tokens  bigint NOT NULL,
    cached_tokens  bigint NOT NULL,
    cost           bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, model, feature)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX usage_daily_day ON atrium.usage_daily (day);                                    -- folding
CALL atrium.protect('atrium.usage_daily');
GRANT SELECT ON atrium.usage_daily TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.usage_daily TO atrium_definer;

-- What days long ago, and tenants that are gone, add to them: a counter that went down would look like a restart.
CREATE TABLE atrium.usage_folded (
    provider       text NOT NULL,
    model          text NOT NULL,
    feature        text NOT NULL,
    calls          bigint NOT NULL,
    input_tokens   bigint NOT NULL,
    output_tokens  bigint NOT NULL,
    cached_tokens  bigint NOT NULL,
    cost           bigint NOT NULL,
    PRIMARY KEY (model, feature)
);
GRANT SELECT, INSERT, UPDATE ON atrium.usage_folded TO atrium_definer;

-- How far the log has been told what models were used for.
CREATE TABLE atrium.usage_told (
    model          text PRIMARY KEY,
    calls          bigint NOT NULL,
    input_tokens   bigint NOT NULL,
    output_tokens  bigint NOT NULL,
    cached_tokens  bigint NOT NULL,
    cost           bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON atrium.usage_told TO atrium_definer;

GRANT INSERT ON atrium.outbox TO atrium_definer;

SET LOCAL ROLE atrium_definer;

-- What is going to be paid for: a `Spend`.
CREATE TYPE atrium.ledger_call AS (
    id uuid, kind text, model text, feature text, bound bigint, least bigint, seconds double precision,
    document_id uuid, job_id uuid, conversation_id uuid, request_id text
);

-- What it came to: a `Settlement`. `metric` is what the model is called in sums over all tenants: a name that the catalogue lists,
-- or `provider/other`.
CREATE TYPE atrium.ledger_result AS (
    outcome text, cost bigint, model text, input_tokens bigint, output_tokens bigint, cached_tokens bigint, units bigint,
    milliseconds bigint, counted boolean, attempts jsonb, metric text
);

-- Whether a call may go out, and with how much; if not, which budget has no room: its scope, who set it, what is in it.
CREATE TYPE atrium.ledger_hold AS (
    granted boolean, bound bigint, month date, scope text, origin text, budget bigint, spent bigint, reserved bigint
);

-- What holds for a principal: requests a second, and the hard budgets (null: none).
CREATE TYPE atrium.limits_in_force AS (
    own_rate double precision, tenant_rate double precision, own_budget bigint, tenant_budget bigint
);

-- A tenant's own rate may be lower than the operator's for it, or than the deployment's, not higher.
CREATE FUNCTION atrium.limits_of(tenant uuid, own_id uuid, usual_rate double precision, usual_tenant_rate double precision)
    RETURNS atrium.limits_in_force
LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp AS $$
    SELECT coalesce(min(l.rate) FILTER (WHERE l.scope <> 'tenant'), usual_rate),
           least(min(l.rate) FILTER (WHERE l.scope = 'tenant' AND l.origin = 'tenant'),
                 coalesce(min(l.rate) FILTER (WHERE l.origin = 'platform'), usual_tenant_rate)),
           min(l.monthly_budget) FILTER (WHERE l.scope <> 'tenant' AND l.mode = 'hard'),
           min(l.monthly_budget) FILTER (WHERE l.scope = 'tenant' AND l.mode = 'hard')
      FROM spending_limits l WHERE l.tenant_id = tenant AND l.scope_id IN (own_id, tenant)
$$;
REVOKE ALL ON FUNCTION atrium.limits_of(uuid, uuid, double precision, double precision) FROM PUBLIC;

-- Reserves a call's bound in the balances of the principal and the tenant, or what is left there if that is `least` and more.
-- Rows are locked in one order, the principal's own and then the tenant's, and the tenant's for as short as can be. A call that
-- costs nothing needs no room: local models answer when the budget is spent.
CREATE FUNCTION atrium.ledger_take(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, own_budget bigint, tenant_budget bigint)
    RETURNS atrium.ledger_hold
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
DECLARE
    hold        ledger_hold;
    this_month  CONSTANT date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    granted     bigint := call.bound;
    balance     record;
    cap         bigint;
    present     integer;
BEGIN
    IF granted > 0 THEN
        SELECT count(*) INTO present FROM ledger_balances b
         WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant);
        IF present < num_nonnulls(own_id, tenant) THEN
            -- The month's first call. Nothing is locked yet: a row that another call is inserting is waited for.
            INSERT INTO ledger_balances (tenant_id, month, scope_id, scope)
            SELECT tenant, this_month, s.id, s.scope FROM (VALUES (own_id, own_scope), (tenant, 'tenant')) s (id, scope)
             WHERE s.id IS NOT NULL ORDER BY s.scope = 'tenant' ON CONFLICT DO NOTHING;
        END IF;
        FOR balance IN
            SELECT b.scope, b.scope_id, b.spent, b.reserved FROM ledger_balances b
             WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant)
             ORDER BY b.scope = 'tenant' FOR UPDATE
        LOOP
            cap := CASE WHEN balance.scope = 'tenant' THEN tenant_budget ELSE own_budget END;
            CONTINUE WHEN cap IS NULL OR cap - balance.spent - balance.reserved >= granted;
            granted := cap - balance.spent - balance.reserved;
            IF granted < greatest(1, coalesce(call.least, call.bound)) THEN
                hold := ROW (false, 0, this_month, balance.scope,
                             (SELECT l.origin FROM spending_limits l
                               WHERE l.tenant_id = tenant AND l.scope_id = balance.scope_id AND l.mode = 'hard'
                               ORDER BY l.monthly_budget LIMIT 1),
                             cap, balance.spent, balance.reserved)::ledger_hold;
                RETURN hold;
            END IF;
        END LOOP;
        UPDATE ledger_balances b SET reserved = b.reserved + granted
         WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant);
    END IF;
    INSERT INTO ledger_reservations (tenant_id, id, month, kind, model, feature, user_id, api_key_id,
                                     document_id, job_id, conversation_id, request_id, bound, due_at)
    VALUES (tenant, call.id, this_month, call.kind, call.model, call.feature,
            CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
            call.document_id, call.job_id, call.conversation_id, call.request_id, granted, now() + make_interval(secs => call.seconds));
    hold := ROW (true, granted, this_month, NULL, NULL, NULL, NULL, NULL)::ledger_hold;
    RETURN hold;
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_take(uuid, text, uuid, atrium.ledger_call, bigint, bigint) FROM PUBLIC;

-- How far a budget is used: 0, 50, 80 or 100.
CREATE FUNCTION atrium.budget_threshold(spent bigint, budget bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE SET search_path = atrium, public, pg_temp AS $$
    SELECT (CASE WHEN spent >= budget THEN 100 WHEN spent >= budget * 0.8 THEN 80 WHEN spent >= budget * 0.5 THEN 50 ELSE 0 END)::smallint
$$;
REVOKE ALL ON FUNCTION atrium.budget_threshold(bigint, bigint) FROM PUBLIC;

-- Moves a call's cost into a balance, and what was reserved for it out; each budget's thresholds are told of once a month.
CREATE FUNCTION atrium.ledger_charge(
    tenant uuid, of_month date, of_scope text, of_id uuid, cost bigint, released bigint, more_calls integer) RETURNS void
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
DECLARE
    balance  ledger_balances;
    budget   record;
BEGIN
    INSERT INTO ledger_balances AS b (tenant_id, month, scope_id, scope, spent, calls)
    VALUES (tenant, of_month, of_id, of_scope, cost, more_calls)
    ON CONFLICT (tenant_id, month, scope_id) DO UPDATE
       SET spent = b.spent + excluded.spent, reserved = greatest(0, b.reserved - released), calls = b.calls + excluded.calls
    RETURNING b.* INTO balance;
    IF cost = 0 THEN
        RETURN;
    END IF;
    FOR budget IN
        SELECT l.origin, l.mode, l.monthly_budget AS amount, budget_threshold(balance.spent, l.monthly_budget) AS reached,
               CASE l.origin WHEN 'platform' THEN balance.platform_told ELSE balance.tenant_told END AS told
          FROM spending_limits l WHERE l.tenant_id = tenant AND l.scope_id = of_id AND l.monthly_budget IS NOT NULL
    LOOP
        CONTINUE WHEN budget.reached <= budget.told;
        UPDATE ledger_balances b
           SET platform_told = CASE budget.origin WHEN 'platform' THEN budget.reached ELSE b.platform_told END,
               tenant_told = CASE budget.origin WHEN 'tenant' THEN budget.reached ELSE b.tenant_told END
         WHERE b.tenant_id = tenant AND b.month = of_month AND b.scope_id = of_id;
        INSERT INTO outbox (tenant_id, id, type, subject, payload)
        SELECT tenant, uuidv7(), 'budget.threshold_reached', of_scope || ':' || of_id,
               jsonb_build_object('scope', of_scope, 'id', of_id, 'month', to_char(of_month, 'YYYY-MM'), 'percent', percent,
                                  'set_by', budget.origin, 'mode', budget.mode,
                                  'monthly_budget_usd', trim_scale(budget.amount / 1e9), 'spent_usd', trim_scale(balance.spent / 1e9))
          FROM unnest(ARRAY[50, 80, 100]) percent WHERE percent > budget.told AND percent <= budget.reached;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_charge(uuid, date, text, uuid, bigint, bigint, integer) FROM PUBLIC;

-- Writes what became of a call that was held, and moves the money; false when that was written before.
CREATE FUNCTION atrium.ledger_enter(held atrium.ledger_reservations, result atrium.ledger_result) RETURNS boolean
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
DECLARE
    tenant    CONSTANT uuid := held.tenant_id;
    cost      bigint := greatest(0, result.cost);
    provider  CONSTANT text := split_part(result.model, '/', 1);
    written   boolean;
BEGIN
    INSERT INTO ledger_entries (
        tenant_id, id, kind, provider, model, feature, user_id, api_key_id, document_id, job_id, conversation_id, request_id,
        input_tokens, output_tokens, cached_tokens, units, cost, bound, outcome, counted, milliseconds, attempts, created_at)
    VALUES (
        tenant, held.id, held.kind, provider, result.model, held.feature, held.user_id, held.api_key_id, held.document_id,
        held.job_id, held.conversation_id, held.request_id, result.input_tokens, result.output_tokens, result.cached_tokens,
        result.units, cost, held.bound, result.outcome, result.counted, result.milliseconds, result.attempts, held.created_at)
    ON CONFLICT (tenant_id, id) DO NOTHING;
    written := FOUND;
    IF written THEN
        INSERT INTO usage_daily AS u (tenant_id, day, model, feature, provider, calls, input_tokens, output_tokens, cached_tokens, cost)
        VALUES (tenant, (held.created_at AT TIME ZONE 'UTC')::date, result.metric, held.feature, split_part(result.metric, '/', 1), 1,
                result.input_tokens, result.output_tokens, result.cached_tokens, cost)
        ON CONFLICT (tenant_id, day, model, feature) DO UPDATE
           SET calls = u.calls + 1, input_tokens = u.input_tokens + excluded.input_tokens,
               output_tokens = u.output_tokens + excluded.output_tokens,
               cached_tokens = u.cached_tokens + excluded.cached_tokens, cost = u.cost + excluded.cost;
    ELSE
        cost := 0;
    END IF;
    IF cost > held.bound THEN
        INSERT INTO outbox (tenant_id, id, type, subject, payload)
        VALUES (tenant, uuidv7(), 'budget.overshot', 'call:' || held.id,
                jsonb_build_object('model', result.model, 'feature', held.feature, 'reserved_usd', trim_scale(held.bound / 1e9),
                                   'cost_usd', trim_scale(cost / 1e9)));
    END IF;
    -- In the order in which they are locked when something is reserved.
    IF held.user_id IS NOT NULL THEN
        PERFORM ledger_charge(tenant, held.month, 'user', held.user_id, cost, held.bound, written::integer);
    ELSIF held.api_key_id IS NOT NULL THEN
        PERFORM ledger_charge(tenant, held.month, 'api_key', held.api_key_id, cost, held.bound, written::integer);
    END IF;
    PERFORM ledger_charge(tenant, held.month, 'tenant', tenant, cost, held.bound, written::integer);
    RETURN written;
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_enter(atrium.ledger_reservations, atrium.ledger_result) FROM PUBLIC;

-- The functions below take the tenant, so that a call is one round trip outside any transaction (ADR 27); inside a tenant's own
-- they refuse another's.
CREATE FUNCTION atrium.ledger_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF tenant IS NULL OR tenant <> coalesce(current_tenant(), tenant) THEN
        RAISE EXCEPTION 'this is not the transaction''s tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Nobody waits for the disk with a balance locked. What a crash of the server takes back is the last moment's, in order:
    -- a settlement that is gone leaves its reservation, which the sweep settles in full; a settlement whose reservation is gone
    -- is written all the same.
    PERFORM set_config('synchronous_commit', 'off', true);
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_tenant(uuid) FROM PUBLIC;

-- Reserves a call. `own_scope` and `own_id` are the principal's; null for a worker.
CREATE FUNCTION atrium.ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call) RETURNS atrium.ledger_hold
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    limits  limits_in_force;
BEGIN
    PERFORM ledger_tenant(tenant);
    limits := limits_of(tenant, own_id, 0, 0);
    RETURN ledger_take(tenant, own_scope, own_id, call, limits.own_budget, limits.tenant_budget);
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_reserve(uuid, text, uuid, atrium.ledger_call) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_reserve(uuid, text, uuid, atrium.ledger_call) TO atrium_app;

-- Settles a call: once, by its id, whatever it cost. `overshoot` is what it cost more than was reserved.
CREATE FUNCTION atrium.ledger_settle(
    tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    held  ledger_reservations;
BEGIN
    PERFORM ledger_tenant(tenant);
    DELETE FROM ledger_reservations r WHERE r.tenant_id = tenant AND r.id = call_id RETURNING r.* INTO held;
    IF NOT FOUND THEN
        -- Settled before; or a crash of the server took the reservation back, and money was spent all the same.
        settled := false;
        IF EXISTS (SELECT FROM ledger_entries e WHERE e.tenant_id = tenant AND e.id = call_id) OR NOT tenant_stays(tenant) THEN
            RETURN;
        END IF;
        held := ROW (tenant, call_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 'chat', result.model, 'unknown',
                     CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
                     NULL, NULL, NULL, '', 0, now(), now())::ledger_reservations;
    END IF;
    settled := ledger_enter(held, result);
    overshoot := greatest(0, result.cost - held.bound);
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_settle(uuid, text, uuid, uuid, atrium.ledger_result) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_settle(uuid, text, uuid, uuid, atrium.ledger_result) TO atrium_app;

-- Writes a call that is over already and had nothing to reserve.
CREATE FUNCTION atrium.ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result)
    RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    PERFORM ledger_tenant(tenant);
    RETURN ledger_enter(
        ROW (tenant, call.id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, call.kind, call.model, call.feature,
             CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
             call.document_id, call.job_id, call.conversation_id, call.request_id, 0, now(), now())::ledger_reservations,
        result);
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_record(uuid, text, uuid, atrium.ledger_call, atrium.ledger_result) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_record(uuid, text, uuid, atrium.ledger_call, atrium.ledger_result) TO atrium_app;

-- Settles a call that nobody came back for, at what was reserved, a day after its time; false when it is not such a one. `metrics`:
-- names that metrics may have.
CREATE FUNCTION atrium.ledger_abandon(tenant uuid, call_id uuid, metrics text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    held  ledger_reservations;
BEGIN
    PERFORM ledger_tenant(tenant);
    DELETE FROM ledger_reservations r
     WHERE r.tenant_id = tenant AND r.id = call_id AND r.due_at < now() - interval '1 day' RETURNING r.* INTO held;
    RETURN FOUND AND ledger_enter(held, ROW (
        'unknown', held.bound, held.model, 0, 0, 0, 0, 0, false, '[]',
        CASE WHEN held.model = ANY (metrics) OR held.model LIKE 'local/%' THEN held.model
             ELSE split_part(held.model, '/', 1) || '/other' END)::ledger_result);
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_abandon(uuid, uuid, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_abandon(uuid, uuid, text[]) TO atrium_app;

-- As auth_admit_key, at the rates that are set for the key and its tenant; and reserves a call, if `call` is one.
CREATE FUNCTION atrium.admit_key(
    presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision,
    caller text, per_minute double precision, call atrium.ledger_call,
    OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state,
    OUT hold atrium.ledger_hold)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    whose     record;
    limits    limits_in_force;
    admitted  record;
BEGIN
    SELECT k.tenant_id, k.id INTO whose FROM api_keys k WHERE k.key_id = presented;
    limits := limits_of(whose.tenant_id, whose.id, usual_rate, usual_tenant_rate);
    SELECT a.* INTO admitted
      FROM auth_admit_key(presented, kids, macs, limits.own_rate, limits.tenant_rate, caller, per_minute) a;
    outcome := admitted.outcome;
    tenant_id := admitted.tenant_id;
    id := admitted.id;
    role := admitted.role;
    scopes := admitted.scopes;
    rate := admitted.rate;
    IF outcome = 'ok' AND (call).id IS NOT NULL THEN
        hold := ledger_take(tenant_id, 'api_key', id, call, limits.own_budget, limits.tenant_budget);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION atrium.admit_key(text, text[], bytea[], double precision, double precision, text, double precision,
    atrium.ledger_call) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.admit_key(text, text[], bytea[], double precision, double precision, text, double precision,
    atrium.ledger_call) TO atrium_app;

-- As auth_admit_user, at the rates that are set for the user and the tenant; and reserves a call, if `call` is one.
CREATE FUNCTION atrium.admit_user(
    tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision,
    caller text, per_minute double precision, call atrium.ledger_call,
    OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    limits    limits_in_force;
    admitted  record;
BEGIN
    limits := limits_of(tenant, member, usual_rate, usual_tenant_rate);
    SELECT a.* INTO admitted
      FROM auth_admit_user(tenant, member, version, session, limits.own_rate, limits.tenant_rate, caller, per_minute) a;
    outcome := admitted.outcome;
    role := admitted.role;
    rate := admitted.rate;
    IF outcome = 'ok' AND (call).id IS NOT NULL THEN
        hold := ledger_take(tenant, 'user', member, call, limits.own_budget, limits.tenant_budget);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION atrium.admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision,
    atrium.ledger_call) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision,
    atrium.ledger_call) TO atrium_app;

-- Sets a limit. What is spent already is not told of again.
CREATE FUNCTION atrium.limit_put(tenant uuid, set_by text, of_scope text, of_id uuid, budget bigint, how text, per_second integer)
    RETURNS void
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    INSERT INTO spending_limits (tenant_id, scope_id, origin, scope, monthly_budget, mode, rate)
    VALUES (tenant, of_id, set_by, of_scope, budget, how, per_second)
    ON CONFLICT (tenant_id, scope_id, origin) DO UPDATE
       SET monthly_budget = excluded.monthly_budget, mode = excluded.mode, rate = excluded.rate, updated_at = now();
    UPDATE ledger_balances b
       SET platform_told = CASE set_by WHEN 'platform' THEN coalesce(budget_threshold(b.spent, budget), 0) ELSE b.platform_told END,
           tenant_told = CASE set_by WHEN 'tenant' THEN coalesce(budget_threshold(b.spent, budget), 0) ELSE b.tenant_told END
     WHERE b.tenant_id = tenant AND b.scope_id = of_id AND b.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date;
END
$$;
REVOKE ALL ON FUNCTION atrium.limit_put(uuid, text, text, uuid, bigint, text, integer) FROM PUBLIC;

-- The transaction's tenant limits itself, one of its users or one of its keys.
CREATE FUNCTION atrium.limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
    SELECT limit_put(required_tenant(), 'tenant', of_scope, of_id, budget, how, per_second)
$$;
REVOKE ALL ON FUNCTION atrium.limit_own(text, uuid, bigint, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.limit_own(text, uuid, bigint, text, integer) TO atrium_app;

-- The operator's name in what is written. Raises inside a tenant's transaction, and unless `proof` is the SHA-256 of the whole
-- key: the id alone is in what tenants may read.
CREATE FUNCTION atrium.acting_operator(operator text, proof bytea) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF current_tenant() IS NOT NULL
       OR NOT EXISTS (SELECT FROM operator_keys k WHERE k.key_id = operator AND k.digest = proof AND k.revoked_at IS NULL) THEN
        RAISE insufficient_privilege USING MESSAGE = 'this is the operator''s to do';
    END IF;
    RETURN 'operator:' || operator;
END
$$;
REVOKE ALL ON FUNCTION atrium.acting_operator(text, bytea) FROM PUBLIC;

-- The operator limits a tenant, whose audit log says so; false when there is none of that id.
CREATE FUNCTION atrium.limit_tenant(
    tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    author  CONSTANT text := acting_operator(operator, proof);
BEGIN
    IF NOT EXISTS (SELECT FROM tenants t WHERE t.tenant_id = tenant) OR NOT tenant_stays(tenant) THEN
        RETURN false;
    END IF;
    PERFORM limit_put(tenant, 'platform', 'tenant', tenant, budget, how, per_second);
    INSERT INTO audit_log (tenant_id, id, actor, action, target, detail, request_id)
    VALUES (tenant, uuidv7(), author, 'limits.changed', 'tenant:' || tenant,
            jsonb_build_object('set_by', 'platform', 'monthly_budget_usd', trim_scale(budget / 1e9), 'mode', how, 'rate', per_second), request);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION atrium.limit_tenant(uuid, bigint, text, integer, text, bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.limit_tenant(uuid, bigint, text, integer, text, bytea, text) TO atrium_app;

-- As the other, and the new tenant may spend `budget` a month.
CREATE FUNCTION atrium.auth_register(
    tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF NOT auth_register(tenant, organisation, member, address, hash, actor, request) THEN
        RETURN false;
    END IF;
    PERFORM limit_put(tenant, 'platform', 'tenant', tenant, budget, 'hard', NULL);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_register(uuid, text, uuid, text, text, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_register(uuid, text, uuid, text, text, text, text, bigint) TO atrium_app;

-- Folds days of usage into the deployment's sums: those of one tenant, or of every tenant before a day; how many rows went.
CREATE FUNCTION atrium.usage_fold(of_tenant uuid, before date) RETURNS bigint
LANGUAGE sql SET search_path = atrium, public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM usage_daily u WHERE u.tenant_id = of_tenant OR u.day < before
        RETURNING u.provider, u.model, u.feature, u.calls, u.input_tokens, u.output_tokens, u.cached_tokens, u.cost),
    folded AS (
        INSERT INTO usage_folded AS f (provider, model, feature, calls, input_tokens, output_tokens, cached_tokens, cost)
        SELECT g.provider, g.model, g.feature, sum(g.calls), sum(g.input_tokens), sum(g.output_tokens), sum(g.cached_tokens), sum(g.cost)
          FROM gone g GROUP BY 1, 2, 3 ORDER BY 2, 3
        ON CONFLICT (model, feature) DO UPDATE
           SET calls = f.calls + excluded.calls, input_tokens = f.input_tokens + excluded.input_tokens,
               output_tokens = f.output_tokens + excluded.output_tokens,
               cached_tokens = f.cached_tokens + excluded.cached_tokens, cost = f.cost + excluded.cost)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION atrium.usage_fold(uuid, date) FROM PUBLIC;

-- Days that are over long since need not be told apart.
CREATE FUNCTION atrium.usage_fold_old() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
    SELECT usage_fold(NULL, (now() AT TIME ZONE 'UTC')::date - 35)
$$;
REVOKE ALL ON FUNCTION atrium.usage_fold_old() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.usage_fold_old() TO atrium_app;

-- The deployment's usage since it began, all tenants together: GET /metrics.
CREATE FUNCTION atrium.usage_figures() RETURNS TABLE (
    provider text, model text, feature text, calls bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cost bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 50 SET search_path = atrium, public, pg_temp AS $$
    SELECT a.provider, a.model, a.feature, sum(a.calls)::bigint, sum(a.input_tokens)::bigint, sum(a.output_tokens)::bigint,
           sum(a.cached_tokens)::bigint, sum(a.cost)::bigint
      FROM (SELECT u.provider, u.model, u.feature, u.calls, u.input_tokens, u.output_tokens, u.cached_tokens, u.cost FROM usage_daily u
            UNION ALL
            SELECT f.provider, f.model, f.feature, f.calls, f.input_tokens, f.output_tokens, f.cached_tokens, f.cost FROM usage_folded f) a
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
$$;
REVOKE ALL ON FUNCTION atrium.usage_figures() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.usage_figures() TO atrium_app;

-- What models were used for since this was called last: each call is told of once, also where two ask at once. What is told and
-- then lost on its way to the log stays lost: the sums are in usage_figures.
CREATE FUNCTION atrium.usage_tell() RETURNS TABLE (
    model text, calls bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cost bigint)
LANGUAGE plpgsql SECURITY DEFINER ROWS 50 SET search_path = atrium, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('atrium.usage_told', 0));
    RETURN QUERY
    WITH sums AS (
        SELECT u.model, sum(u.calls)::bigint AS calls, sum(u.input_tokens)::bigint AS input_tokens,
               sum(u.output_tokens)::bigint AS output_tokens, sum(u.cached_tokens)::bigint AS cached_tokens, sum(u.cost)::bigint AS cost
          FROM usage_figures() u GROUP BY u.model),
    kept AS (
        INSERT INTO usage_told (model, calls, input_tokens, output_tokens, cached_tokens, cost)
        SELECT s.model, s.calls, s.input_tokens, s.output_tokens, s.cached_tokens, s.cost FROM sums s
        ON CONFLICT (model) DO UPDATE
           SET calls = excluded.calls, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
               cached_tokens = excluded.cached_tokens, cost = excluded.cost)
    SELECT s.model, s.calls - coalesce(t.calls, 0), s.input_tokens - coalesce(t.input_tokens, 0),
           s.output_tokens - coalesce(t.output_tokens, 0), s.cached_tokens - coalesce(t.cached_tokens, 0), s.cost - coalesce(t.cost, 0)
      FROM sums s LEFT JOIN usage_told t ON t.model = s.model
     WHERE s.calls > coalesce(t.calls, 0) ORDER BY s.model;
END
$$;
REVOKE ALL ON FUNCTION atrium.usage_tell() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.usage_tell() TO atrium_app;

-- Calls under way, and those whose time is over without anybody having come back.
CREATE FUNCTION atrium.ledger_figures() RETURNS TABLE (name text, label text, value double precision)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 2 SET search_path = atrium, public, pg_temp AS $$
    SELECT 'ledger_open', s.state, count(r.id)::float8
      FROM (VALUES ('calling'), ('unknown')) s (state)
      LEFT JOIN ledger_reservations r ON CASE WHEN r.due_at < now() THEN 'unknown' ELSE 'calling' END = s.state
     GROUP BY 1, 2
$$;
REVOKE ALL ON FUNCTION atrium.ledger_figures() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_figures() TO atrium_app;

-- As before; the ledger may have millions of rows, and the deployment's counters keep what the tenant used.
CREATE OR REPLACE FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp
AS $$
DECLARE
    tenant  uuid := atrium.required_tenant();
    target  regclass;
BEGIN
    -- Waits for every transaction that has written for the tenant: what it made goes with the rest. Whoever comes to make a
    -- credential from here on waits in `tenant_stays`, and is refused.
    PERFORM FROM tenants t WHERE t.tenant_id = tenant AND t.name = confirmation FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO erasures (tenant_id, requested_by, request_id) VALUES (tenant, requester, request) ON CONFLICT DO NOTHING;
    PERFORM usage_fold(tenant, NULL);
    FOR target IN SELECT * FROM tenant_tables() LOOP
        -- There may be millions of these.
        CONTINUE WHEN target::text IN ('documents', 'document_versions', 'drop_writes', 'audit_log', 'outbox', 'chunk_bits',
                                       'ledger_entries')
            OR target::text LIKE 'chunks\_%';
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', target) USING tenant;
    END LOOP;
    UPDATE tenants t SET name = 'erased', settings = '{}' WHERE t.tenant_id = tenant;
    RETURN true;
END
$$;

RESET ROLE;
