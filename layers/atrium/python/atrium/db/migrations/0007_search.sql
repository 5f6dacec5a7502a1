-- Search at full speed: bits in a table of their own, words ranked as BM25 does, halves fused by their scores and by what the model
-- understands, and a partial HNSW index for each large tenant. Every statement here is static, so that a connection plans it once.

-- Quantized vectors, apart from the wide rows of chunks: some 60 to a page, so that a tenant's are read quickly also right after they were
-- written, when an index-only scan would still have to look into the chunks' pages. Kept by a trigger, whoever writes chunks.
CREATE TABLE atrium.chunk_bits (
    tenant_id    uuid NOT NULL,
    space_id     smallint NOT NULL,
    document_id  uuid NOT NULL,
    id           uuid NOT NULL,                                  -- the chunk's
    bits         bit varying NOT NULL
);
-- Search reads a tenant's or some documents', deletion a document's. Without the id, which no key needs here: entries of a document
-- share one (measured: a quarter less time to search than by a unique index that holds it).
CREATE INDEX chunk_bits_documents ON atrium.chunk_bits (tenant_id, space_id, document_id);
ALTER TABLE atrium.chunk_bits ALTER COLUMN bits SET STORAGE PLAIN;
CALL atrium.protect('atrium.chunk_bits');
GRANT SELECT, INSERT, DELETE ON atrium.chunk_bits TO atrium_app;
GRANT SELECT, INSERT, DELETE ON atrium.chunk_bits TO atrium_definer;

CREATE FUNCTION atrium.keep_bits() RETURNS trigger LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO atrium.chunk_bits (tenant_id, space_id, document_id, id, bits)
        SELECT tenant_id, space_id, document_id, id, binary_quantize(embedding) FROM written;
    ELSE
        DELETE FROM atrium.chunk_bits AS b   -- lists, not a join, which might compare each with each
        WHERE b.tenant_id = ANY (ARRAY(SELECT DISTINCT tenant_id FROM removed))
          AND b.space_id = ANY (ARRAY(SELECT DISTINCT space_id FROM removed))
          AND b.document_id = ANY (ARRAY(SELECT DISTINCT document_id FROM removed))
          AND b.id = ANY (ARRAY(SELECT id FROM removed));
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION atrium.keep_bits() FROM PUBLIC;
CREATE TRIGGER bits_of_written AFTER INSERT ON atrium.chunks REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION atrium.keep_bits();
CREATE TRIGGER bits_of_removed AFTER DELETE ON atrium.chunks REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION atrium.keep_bits();

-- What was there before: its bits move, and its covering indexes become plain ones.
INSERT INTO atrium.chunk_bits (tenant_id, space_id, document_id, id, bits)
SELECT tenant_id, space_id, document_id, id, public.binary_quantize(embedding) FROM atrium.chunks;
DO $$
DECLARE
    space smallint;
BEGIN
    FOR space IN SELECT id FROM atrium.embedding_spaces ORDER BY id LOOP
        EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN tenant_id SET (n_distinct = 10)', 'chunks_' || space);
        EXECUTE format('DROP INDEX atrium.%I', 'chunks_' || space || '_bits');
        EXECUTE format('CREATE INDEX %I ON atrium.%I (tenant_id, document_id, version, ordinal)',
                       'chunks_' || space || '_versions', 'chunks_' || space);
    END LOOP;
END
$$;
ALTER TABLE atrium.chunks DROP COLUMN bits;

CREATE OR REPLACE PROCEDURE atrium.declare_embedding_space(
    space smallint, space_model text, space_dimensions integer, space_max_tokens integer)
LANGUAGE plpgsql AS $$
DECLARE
    leaf text := 'chunks_' || space;
BEGIN
    INSERT INTO atrium.embedding_spaces (id, model, dimensions, max_tokens)
    VALUES (space, space_model, space_dimensions, space_max_tokens)
    ON CONFLICT (id) DO NOTHING;
    IF NOT EXISTS (SELECT FROM atrium.embedding_spaces
                   WHERE id = space AND model = space_model AND dimensions = space_dimensions AND max_tokens = space_max_tokens) THEN
        RAISE EXCEPTION 'embedding space % exists with another model, length or window: declare a new id', space;
    END IF;
    IF to_regclass('atrium.' || leaf) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE atrium.%I PARTITION OF atrium.chunks FOR VALUES IN (%s)', leaf, space);
    EXECUTE format('ALTER TABLE atrium.%I ADD CHECK (public.vector_dims(embedding) = %s)', leaf, space_dimensions);
    IF space_dimensions <= 3584 THEN   -- a longer vector and its text do not fit one page
        EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN embedding SET STORAGE PLAIN', leaf);
    END IF;
    -- Words are ranked from the row itself, so nothing of it is compressed or moved out as long as it fits the page (measured: keyword
    -- search 10 times slower on compressed text vectors, which every ts_rank unpacks again).
    EXECUTE format('ALTER TABLE atrium.%I SET (toast_tuple_target = 8160)', leaf);
    -- Plans are made once, for any tenant: they are to suit a large one, not the average. A small one suffers nothing from that.
    EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN tenant_id SET (n_distinct = 10)', leaf);
    -- Publish, delete and list.
    EXECUTE format('CREATE INDEX %I ON atrium.%I (tenant_id, document_id, version, ordinal)', leaf || '_versions', leaf);
    -- Keyword search; with the tenant in the index (btree_gin) other tenants' frequent words cost nothing (measured: 0.4 ms for 2.2).
    EXECUTE format('CREATE INDEX %I ON atrium.%I USING gin (tenant_id, tsv)', leaf || '_tsv', leaf);
    -- Statistics that are a minute old at most: vacuum after every 2,000 inserted rows.
    EXECUTE format('ALTER TABLE atrium.%I SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 2000)', leaf);
    EXECUTE format('CALL atrium.protect(%L)', 'atrium.' || leaf);
    EXECUTE format('GRANT SELECT ON atrium.%I TO atrium_definer', leaf);
END
$$;

-- A large tenant's partial HNSW index on a space's partition. A row is there exactly while the index is there and valid: search reads
-- it to choose, without a look into the catalogue. Made and removed by housekeeping, as the owner.
CREATE TABLE atrium.tenant_indexes (
    tenant_id  uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    space_id   smallint NOT NULL REFERENCES atrium.embedding_spaces,
    chunks     bigint NOT NULL CHECK (chunks >= 0),              -- when it was made
    built_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, space_id)
);
CALL atrium.protect('atrium.tenant_indexes');
GRANT SELECT ON atrium.tenant_indexes TO atrium_app, atrium_definer;

SET LOCAL ROLE atrium_definer;

DROP FUNCTION atrium.nearest_chunks(smallint, halfvec, uuid[], integer, integer);
DROP FUNCTION atrium.matching_chunks(smallint, text, uuid[], integer, integer);
DROP FUNCTION atrium.question_words(smallint, text, integer);
DROP FUNCTION atrium.space_partition(smallint);

-- The `top` nearest by cosine, exactly ordered: all bits of the tenant (or of the scope's documents) are compared, then the `width` nearest
-- of those by their exact vectors. `compared`: how many that were.
CREATE FUNCTION atrium.nearest_by_bits(space smallint, question halfvec, scope uuid[], width integer, top integer,
                                       OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on
    SET plan_cache_mode = force_generic_plan SET parallel_setup_cost = 1000000
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    code   bit varying := binary_quantize(question);
    near   uuid[];
BEGIN
    IF scope IS NULL THEN
        near := ARRAY(SELECT b.id FROM atrium.chunk_bits b
                      WHERE b.tenant_id = tenant AND b.space_id = space ORDER BY b.bits <~> code LIMIT width);
    ELSE
        near := ARRAY(SELECT b.id FROM atrium.chunk_bits b
                      WHERE b.tenant_id = tenant AND b.space_id = space AND b.document_id = ANY (scope)
                      ORDER BY b.bits <~> code LIMIT width);
    END IF;
    SELECT array_agg(n.id), array_agg(1 - n.distance), array_agg(n.language)
    INTO ids, cosines, languages
    FROM (SELECT c.id, c.embedding <=> question AS distance, c.language FROM atrium.chunks c
          WHERE c.space_id = space AND c.tenant_id = tenant AND c.id = ANY (near)
          ORDER BY distance, c.id LIMIT top) AS n;
    compared := cardinality(near);
END
$$;

-- The same from the tenant's own HNSW index. The tenant stands in the statement itself, because only then does the planner know that
-- the index holds all it asks for. Null ids: there were fewer than `top`, as when few documents of many are searched. `compared`: those
-- that the index gave; what it passed on its way to them is not told.
CREATE FUNCTION atrium.nearest_by_index(space smallint, question halfvec, scope uuid[], width integer, top integer,
                                        OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_sort = off SET parallel_setup_cost = 1000000
AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', width::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true);
    EXECUTE format($sql$
        SELECT (array_agg(id ORDER BY distance, id))[:$3], (array_agg(1 - distance ORDER BY distance, id))[:$3],
               (array_agg(language ORDER BY distance, id))[:$3], count(*)
        FROM (SELECT c.id, c.embedding::halfvec(%1$s) <=> $1::halfvec(%1$s) AS distance, c.language FROM atrium.%2$I c
              WHERE c.tenant_id = %3$L %4$s
              ORDER BY c.embedding::halfvec(%1$s) <=> $1::halfvec(%1$s) LIMIT $2) AS n
        $sql$, vector_dims(question), 'chunks_' || space, atrium.required_tenant(),
        CASE WHEN scope IS NOT NULL THEN 'AND c.document_id = ANY ($4)' END)
    INTO ids, cosines, languages, compared USING question, width, top, scope;
    IF cardinality(ids) < top THEN
        ids := NULL;
    END IF;
END
$$;

-- The nearest chunks: by the tenant's index where it has one and much is searched, by bits otherwise. `compared`: also what the index
-- gave when that was too little.
CREATE FUNCTION atrium.nearest_chunks(space smallint, question halfvec, scope uuid[], top integer,
                                      OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    few    constant bigint := 10000;   -- as many are compared one by one in 2 ms
    before bigint := 0;
BEGIN
    IF EXISTS (SELECT FROM atrium.tenant_indexes i WHERE i.tenant_id = tenant AND i.space_id = space)
       AND (scope IS NULL OR few = (SELECT count(*) FROM (SELECT FROM atrium.chunk_bits b
                WHERE b.tenant_id = tenant AND b.space_id = space AND b.document_id = ANY (scope) LIMIT few) AS s)) THEN
        SELECT n.* INTO ids, cosines, languages, compared FROM atrium.nearest_by_index(space, question, scope, greatest(top, 100), top) AS n;
    END IF;
    IF ids IS NULL THEN
        before := coalesce(compared, 0);
        SELECT n.* INTO ids, cosines, languages, compared FROM atrium.nearest_by_bits(space, question, scope, 200, top) AS n;
        compared := before + compared;
    END IF;
END
$$;

-- The words of a question as the tenant's chunks would have stored them, the rarest 16 first.
-- Frequencies come from a sample: the chunks of the smallest ids, which are hashes, so a random and repeatable choice; how far
-- those reach into the range of ids also tells how many chunks there are.
-- A question of 4,000 characters in many languages has thousands of words, each of which would be looked for in the whole sample: of
-- the first 64 of each language (in 1,000 characters), the languages of every twentieth chunk, the eight most frequent, and the question's own.
-- The question's own language comes first, or the most frequent one: read in another, its small words are rare ones, and would take the place
-- of all that it asks for (measured: recall .24 for .39, of one stray chunk in the sample).
CREATE FUNCTION atrium.question_words(space smallint, question text, asked_in text,
                                      OUT words tsquery[], OUT frequencies double precision[],
                                      OUT mean_length double precision, OUT total double precision)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    tenant      uuid := atrium.required_tenant();
    sample_size constant integer := 150;
    vectors     tsvector[];
    languages   text[];
    last_id     uuid;
BEGIN
    SELECT array_agg(s.tsv), array_agg(s.language), avg(length(s.tsv)), (array_agg(s.id))[sample_size]
    INTO vectors, languages, mean_length, last_id
    FROM (SELECT c.id, c.language, c.tsv FROM atrium.chunks c
          WHERE c.space_id = space AND c.tenant_id = tenant ORDER BY c.id LIMIT sample_size) AS s;
    total := cardinality(vectors) * coalesce(4294967296.0 / (1 + ('x' || left(last_id::text, 8))::bit(32)::bigint), 1);
    languages := ARRAY(
        SELECT l.code
        FROM (SELECT code, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, code COLLATE "C") AS place
              FROM unnest(languages) AS code GROUP BY code) AS l
        WHERE l.n * 20 >= cardinality(languages) OR l.place <= 8 OR l.code = asked_in
        ORDER BY CASE WHEN l.code = asked_in AND l.n * 20 >= cardinality(languages) THEN 0
                      WHEN l.place = 1 THEN 1 WHEN l.code = asked_in THEN 2 ELSE 3 END, l.place);
    SELECT array_agg(f.word ORDER BY f.n, f.word::text COLLATE "C"),
           array_agg(f.n * total / cardinality(vectors) ORDER BY f.n, f.word::text COLLATE "C")
    INTO words, frequencies
    FROM (SELECT w.word, greatest((SELECT count(*) FROM unnest(vectors) AS v WHERE v @@ w.word), 0.5) AS n
          FROM (SELECT quoted.word, min(l.place) AS place
                FROM unnest(languages) WITH ORDINALITY AS l (code, place),
                     LATERAL (SELECT t.lexeme FROM unnest(atrium.text_vector(l.code, left(question, 1000))) AS t
                              ORDER BY t.positions[1], t.lexeme COLLATE "C" LIMIT 64) AS first (lexeme),
                     CAST('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''' AS tsquery) AS quoted (word)
                GROUP BY quoted.word) AS w
          ORDER BY w.place, n, w.word::text COLLATE "C" LIMIT 16) AS f;
END
$$;

-- The chunks that share words with the question, best first, ranked by BM25 (k1 1.5, b 0.75). A chunk must hold one of the rarer words: as
-- many are looked up as together match about `budget` chunks. `compared`: how many were ranked.
-- How often a word occurs is read out of ts_rank: for one word that is (1 + 1/4 + … + 1/n²) / 16.4493, whose distance y from its limit
-- is 1 / (n + ½) within three in a hundred; BM25's n (k1 + 1) / (n + K) is then (2 - y) / (1 + (K - ½) y), but for a constant.
-- Sixteen columns written out, instead of one statement per number of words: it is planned once.
CREATE FUNCTION atrium.matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer,
                                       OUT ids uuid[], OUT relevances double precision[], OUT languages text[], OUT compared bigint)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_indexscan = off SET enable_bitmapscan = on SET plan_cache_mode = force_generic_plan
    SET parallel_setup_cost = 1000000
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    asked  record;
    lookup tsquery;
    exact  integer;
    q      tsquery[];
    f      double precision[];
BEGIN
    asked := atrium.question_words(space, question, asked_in);
    IF asked.words IS NULL THEN
        compared := 0;
        RETURN;
    END IF;
    IF cardinality(scope) <= 100 THEN
        budget := 2147483647;   -- what is frequent among all documents may be all there is in a few
    END IF;
    q := asked.words;
    f := asked.frequencies;
    -- Any of the rarer words; where even the rarest is everywhere, several of them at once, as far as enough chunks have them all.
    SELECT coalesce(string_agg(word::text, ' | ') FILTER (WHERE together <= budget),
                    string_agg(word::text, ' & ') FILTER (WHERE joint >= budget / 2.0 OR i = 1))::tsquery,
           CASE WHEN scope IS NULL THEN count(*) FILTER (WHERE together <= budget) ELSE 0 END
    INTO lookup, exact
    FROM (SELECT word, i, sum(frequency) OVER (ORDER BY i) AS together,
                 asked.total * exp(sum(ln(least(frequency / asked.total, 1))) OVER (ORDER BY i)) AS joint
          FROM unnest(q, f) WITH ORDINALITY AS t (word, frequency, i)) AS s;
    WITH matched AS MATERIALIZED (
        SELECT c.id, c.language, 1.5 * (0.25 + 0.75 * length(c.tsv) / asked.mean_length) - 0.5 AS k,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[1]), 0) AS y1, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[2]), 0) AS y2,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[3]), 0) AS y3, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[4]), 0) AS y4,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[5]), 0) AS y5, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[6]), 0) AS y6,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[7]), 0) AS y7, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[8]), 0) AS y8,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[9]), 0) AS y9, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[10]), 0) AS y10,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[11]), 0) AS y11, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[12]), 0) AS y12,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[13]), 0) AS y13, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[14]), 0) AS y14,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[15]), 0) AS y15, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[16]), 0) AS y16
        FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant AND c.tsv @@ lookup AND (scope IS NULL OR c.document_id = ANY (scope))),
    -- Words that were looked up are counted exactly, all others as the sample says.
    counted AS MATERIALIZED (
        SELECT count(*) AS compared, ARRAY[
            count(y1), count(y2), count(y3), count(y4), count(y5), count(y6), count(y7), count(y8),
            count(y9), count(y10), count(y11), count(y12), count(y13), count(y14), count(y15), count(y16)]::float8[] AS n
        FROM matched),
    weighed AS MATERIALIZED (
        SELECT compared, ARRAY(
            SELECT ln(1 + (greatest(asked.total - s.df, 0) + 0.5) / (s.df + 0.5))
            FROM (SELECT i, CASE WHEN i <= exact THEN n[i] ELSE f[i] END AS df FROM generate_series(1, cardinality(q)) AS i) AS s
            ORDER BY s.i) AS w
        FROM counted),
    ranked AS (
        SELECT m.id, m.language, compared,
               coalesce(w[1] * (2 - y1) / (1 + k * y1), 0) + coalesce(w[2] * (2 - y2) / (1 + k * y2), 0)
             + coalesce(w[3] * (2 - y3) / (1 + k * y3), 0) + coalesce(w[4] * (2 - y4) / (1 + k * y4), 0)
             + coalesce(w[5] * (2 - y5) / (1 + k * y5), 0) + coalesce(w[6] * (2 - y6) / (1 + k * y6), 0)
             + coalesce(w[7] * (2 - y7) / (1 + k * y7), 0) + coalesce(w[8] * (2 - y8) / (1 + k * y8), 0)
             + coalesce(w[9] * (2 - y9) / (1 + k * y9), 0) + coalesce(w[10] * (2 - y10) / (1 + k * y10), 0)
             + coalesce(w[11] * (2 - y11) / (1 + k * y11), 0) + coalesce(w[12] * (2 - y12) / (1 + k * y12), 0)
             + coalesce(w[13] * (2 - y13) / (1 + k * y13), 0) + coalesce(w[14] * (2 - y14) / (1 + k * y14), 0)
             + coalesce(w[15] * (2 - y15) / (1 + k * y15), 0) + coalesce(w[16] * (2 - y16) / (1 + k * y16), 0) AS relevance
        FROM matched AS m, weighed
        ORDER BY relevance DESC, m.id LIMIT top)
    SELECT array_agg(r.id), array_agg(r.relevance), array_agg(r.language), max(r.compared)
    INTO ids, relevances, languages, compared
    FROM ranked AS r;
END
$$;

-- The one search: by the vector, by the words, or both. A null vector or null words leave that half out.
-- Both halves are fused by their scores: cosines of the nearest 50 from 0.2 (the last) to 1 (the first), relevances as parts of the best. They
-- count alike, but the vector a fifth where the model does not know the language of the question or of the chunk. `known`: the languages
-- it knows, null for all. What language nothing was told of is taken to be in ('') the others say: known, unless most of them are not.
CREATE FUNCTION atrium.search_chunks(
        space smallint, vector halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[],
        filter jsonpath, top integer)
    RETURNS TABLE (chunk_id uuid, document_id uuid, document_name text, version integer, page_from integer, page_to integer,
                   page_starts integer[], char_start integer, char_end integer, heading text, language text, text text,
                   score double precision, vector_score double precision, keyword_score double precision, compared bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_nestloop = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    scope  uuid[];
    pool   integer := CASE WHEN vector IS NULL OR words IS NULL THEN top ELSE greatest(top, 50) END;
    near_ids          uuid[];
    near_cosines      double precision[];
    near_languages    text[];
    worded_ids        uuid[];
    worded_relevances double precision[];
    worded_languages  text[];
    near_seen   bigint;
    worded_seen bigint;
    far    double precision;
    spread double precision;
    best   double precision;
BEGIN
    IF num_nonnulls(collections, document_ids, filter) > 0 THEN
        scope := atrium.search_scope(collections, document_ids, filter);
    END IF;
    IF vector IS NOT NULL THEN
        SELECT n.* INTO near_ids, near_cosines, near_languages, near_seen FROM atrium.nearest_chunks(space, vector, scope, pool) AS n;
        far := near_cosines[cardinality(near_cosines)];
        spread := nullif(near_cosines[1] - far, 0);
    END IF;
    IF words IS NOT NULL THEN
        SELECT m.* INTO worded_ids, worded_relevances, worded_languages, worded_seen
        FROM atrium.matching_chunks(space, words, asked_in, scope, 400, pool) AS m;
        best := nullif(worded_relevances[1], 0);
    END IF;
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT id, language, max(nearness) AS nearness, max(relevance) AS relevance
        FROM (SELECT id, language, nearness, NULL::float8 AS relevance
              FROM unnest(near_ids, near_languages, near_cosines) AS n (id, language, nearness)
              UNION ALL
              SELECT id, language, NULL, relevance
              FROM unnest(worded_ids, worded_languages, worded_relevances) AS w (id, language, relevance)) AS halves
        GROUP BY id, language),
    mixture AS MATERIALIZED (
        SELECT count(*) FILTER (WHERE language = ANY (known)) * 2 < count(*) AS foreign FROM found WHERE language <> ''),
    shared AS (
        SELECT found.*,
               CASE WHEN known IS NULL THEN 0.5
                    WHEN CASE WHEN asked_in = '' THEN m.foreign ELSE asked_in <> ALL (known) END THEN 0.2
                    WHEN CASE WHEN language = '' THEN m.foreign ELSE language <> ALL (known) END THEN 0.2
                    ELSE 0.5 END AS share
        FROM found, mixture AS m),
    best_of AS MATERIALIZED (
        SELECT id, nearness, relevance,
               CASE WHEN words IS NULL THEN nearness
                    WHEN vector IS NULL THEN relevance
                    ELSE CASE WHEN nearness IS NULL THEN 0
                              WHEN spread IS NULL THEN share
                              ELSE share * (0.2 + 0.8 * (nearness - far) / spread) END
                       + coalesce((1 - share) * relevance / best, 0) END AS final
        FROM shared ORDER BY final DESC, id LIMIT top),
    -- By lists of ids, not by joins: whatever the planner believes of a growing table, these are one pass over an index.
    rows AS MATERIALIZED (
        SELECT c.id, c.document_id, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
               c.language, c.text
        FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant AND c.id = ANY (ARRAY(SELECT best_of.id FROM best_of))),
    owners AS MATERIALIZED (
        SELECT d.id, d.name, d.ready_version FROM atrium.documents d
        WHERE d.tenant_id = tenant AND d.deleted_at IS NULL AND d.id = ANY (ARRAY(SELECT rows.document_id FROM rows)))
    SELECT c.id, c.document_id, d.name, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
           c.language, c.text, f.final, f.nearness, f.relevance,
           coalesce(near_seen, 0) + coalesce(worded_seen, 0)
    FROM best_of AS f
    JOIN rows AS c ON c.id = f.id
    JOIN owners AS d ON d.id = c.document_id AND d.ready_version = c.version
    ORDER BY f.final DESC, c.id;
END
$$;

-- As code before this migration calls it.
CREATE OR REPLACE FUNCTION atrium.search_chunks(
        space smallint, vector halfvec, words text, collections text[], document_ids uuid[], filter jsonpath,
        foreign_weight double precision, top integer)
    RETURNS TABLE (chunk_id uuid, document_id uuid, document_name text, version integer, page_from integer, page_to integer,
                   page_starts integer[], char_start integer, char_end integer, heading text, language text, text text,
                   score double precision, vector_score double precision, keyword_score double precision, compared bigint)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = atrium, public, pg_temp
AS $$
    SELECT * FROM atrium.search_chunks(space, vector, words, '', CASE WHEN foreign_weight < 1 THEN '{en}'::text[] END,
                                       collections, document_ids, filter, top)
$$;

REVOKE ALL ON FUNCTION atrium.nearest_by_bits(smallint, halfvec, uuid[], integer, integer),
    atrium.nearest_by_index(smallint, halfvec, uuid[], integer, integer), atrium.nearest_chunks(smallint, halfvec, uuid[], integer),
    atrium.question_words(smallint, text, text), atrium.matching_chunks(smallint, text, text, uuid[], integer, integer),
    atrium.search_chunks(smallint, halfvec, text, text, text[], text[], uuid[], jsonpath, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    atrium.search_chunks(smallint, halfvec, text, text, text[], text[], uuid[], jsonpath, integer) TO atrium_app;

RESET ROLE;
