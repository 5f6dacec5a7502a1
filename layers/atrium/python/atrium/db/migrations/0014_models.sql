-- Models: what a tenant changes of the catalogue, and its own provider keys.

CREATE TABLE atrium.model_overrides (
    tenant_id     uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    model         text NOT NULL CHECK (length(model) BETWEEN 3 AND 200 AND model LIKE '_%/_%'),   -- `provider/name`
    enabled       boolean NOT NULL,
    input_price   bigint CHECK (input_price >= 0),               -- nano-dollars a token, with the tenant's own key; null: the catalogue's
    output_price  bigint CHECK (output_price >= 0),
    cached_price  bigint CHECK (cached_price BETWEEN 0 AND input_price),
    note          text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    updated_by    text NOT NULL,                                 -- the principal's subject
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, model),
    CHECK (num_nulls(input_price, output_price, cached_price) IN (0, 3))
);
CALL atrium.protect('atrium.model_overrides');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.model_overrides TO atrium_app;

CREATE TABLE atrium.provider_keys (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    provider    text NOT NULL CHECK (length(provider) BETWEEN 1 AND 100),
    sealed      bytea NOT NULL,                                  -- under the keyring's data keys; written, opened to call, never shown
    last_four   text NOT NULL CHECK (length(last_four) IN (0, 4)),   -- of keys that are long enough to tell them; else empty
    updated_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, provider)
);
CALL atrium.protect('atrium.provider_keys');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.provider_keys TO atrium_app;
