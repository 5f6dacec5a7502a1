-- Search: by vectors, by words, by both. Text search and vector operators are not leakproof, so under row level security
-- their indexes are not used; these functions run as atrium_definer and take the tenant from app.tenant_id themselves.
-- Only a space's partition is named dynamically, by a name that is looked up in the catalogue.

SET LOCAL ROLE atrium_definer;

-- The tenant of this transaction; an error outside one.
CREATE FUNCTION atrium.required_tenant() RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION 'app.tenant_id is not set' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN tenant;
END
$$;

-- The leaf partition of a space: queries on it can use expressions of the space's own length.
CREATE FUNCTION atrium.space_partition(space smallint) RETURNS regclass
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
AS $$
DECLARE
    leaf regclass := (SELECT inhrelid FROM pg_inherits
                      WHERE inhparent = 'atrium.chunks'::regclass AND inhrelid = to_regclass('atrium.chunks_' || space));
BEGIN
    IF leaf IS NULL THEN
        RAISE EXCEPTION 'embedding space % has no partition', space USING ERRCODE = 'undefined_object';
    END IF;
    RETURN leaf;
END
$$;

-- The documents a search may look into; null: all of the tenant's, which needs no list.
CREATE FUNCTION atrium.search_scope(collections text[], document_ids uuid[], filter jsonpath) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp
AS $$
    SELECT CASE WHEN num_nonnulls(collections, document_ids, filter) > 0 THEN ARRAY(
        SELECT d.id FROM atrium.documents d
        WHERE d.tenant_id = atrium.required_tenant() AND d.deleted_at IS NULL AND d.ready_version IS NOT NULL
          AND (collections IS NULL OR d.collection = ANY (collections))
          AND (document_ids IS NULL OR d.id = ANY (document_ids))
          AND (filter IS NULL OR d.metadata @@ filter)
        ORDER BY d.id) END
$$;

-- The nearest chunks by cosine distance. All of the scope's quantized bits are compared, index-only; then the `width` nearest of
-- those by their exact vectors. `compared`: how many that were.
CREATE FUNCTION atrium.nearest_chunks(space smallint, question halfvec, scope uuid[], width integer, top integer)
    RETURNS TABLE (id uuid, distance double precision, compared bigint)
    LANGUAGE plpgsql STABLE ROWS 50 SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
    IF question IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format($sql$
        WITH near AS MATERIALIZED (
            SELECT c.id FROM %1$s c
            WHERE c.tenant_id = $1 %3$s
            ORDER BY c.bits <~> $2 LIMIT $4)
        SELECT c.id, c.embedding::halfvec(%2$s) <=> $3::halfvec(%2$s) AS distance, (SELECT count(*) FROM near)
        FROM %1$s c
        WHERE c.space_id = $6 AND c.tenant_id = $1 AND c.id = ANY (ARRAY(SELECT near.id FROM near))
        ORDER BY distance, c.id LIMIT $5
        $sql$, atrium.space_partition(space), vector_dims(question),
        CASE WHEN scope IS NOT NULL THEN 'AND c.document_id = ANY ($7)' END)
    USING atrium.required_tenant(), binary_quantize(question), question, width, top, space, scope;
END
$$;

-- The words of a question as the tenant's chunks would have stored them, the rarest first.
-- Frequencies come from a sample: the chunks of the smallest ids, which are hashes, so a random and repeatable choice; how far
-- those reach into the range of ids also tells how many chunks there are.
CREATE FUNCTION atrium.question_words(space smallint, question text, sample_size integer,
                                      OUT words tsquery[], OUT weights double precision[], OUT frequencies double precision[],
                                      OUT mean_length double precision, OUT total double precision)
    LANGUAGE plpgsql STABLE SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
BEGIN
    WITH sample AS MATERIALIZED (
        SELECT c.id, c.language, c.tsv FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant ORDER BY c.id LIMIT sample_size),
    size AS (
        SELECT count(*) AS seen, avg(length(tsv)) AS mean_length,
               CASE WHEN count(*) < sample_size THEN count(*)
                    ELSE count(*) * 4294967296.0 / (1 + ('x' || left((array_agg(id))[sample_size]::text, 8))::bit(32)::bigint)
               END AS total
        FROM sample),
    lexemes AS (
        SELECT DISTINCT lexeme FROM (SELECT DISTINCT language FROM sample) AS l, unnest(atrium.text_vector(l.language, question))),
    counted AS (
        SELECT word, (SELECT count(*) FROM sample WHERE tsv @@ word) AS n
        FROM lexemes, CAST('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''' AS tsquery) AS word
        ORDER BY n, word::text LIMIT 32),
    estimated AS (
        SELECT word, total, greatest(n, 0.5) * total / seen AS frequency, size.mean_length FROM counted, size)
    SELECT array_agg(word ORDER BY frequency, word::text),
           array_agg(ln(1 + (greatest(total - frequency, 0) + 0.5) / (frequency + 0.5)) ORDER BY frequency, word::text),
           array_agg(frequency ORDER BY frequency, word::text), max(estimated.mean_length), max(estimated.total)
    INTO words, weights, frequencies, question_words.mean_length, question_words.total
    FROM estimated;
END
$$;

-- The chunks that share words with the question, best first, ranked nearly as BM25 does: each word counts by its rarity, with
-- diminishing returns, against the chunk's length. A chunk must hold one of the rarer words: as many are looked up as together
-- match about `budget` chunks; those are counted exactly where nothing narrows the search. `compared`: how many were ranked.
CREATE FUNCTION atrium.matching_chunks(space smallint, question text, scope uuid[], budget integer, top integer)
    RETURNS TABLE (id uuid, relevance double precision, compared bigint)
    LANGUAGE plpgsql STABLE ROWS 50 SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off
AS $$
DECLARE
    asked   record;
    lookup  tsquery;
    ranks   text;
    weights text;
    ranking text;
BEGIN
    IF question IS NULL THEN
        RETURN;
    END IF;
    asked := atrium.question_words(space, question, 200);
    IF asked.words IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(scope) <= 100 THEN
        budget := 2147483647;   -- what is frequent among all documents may be all there is in a few
    END IF;
    -- Any of the rarer words; where even the rarest is everywhere, several of them at once, as far as enough chunks have them all.
    SELECT coalesce(string_agg(word::text, ' | ') FILTER (WHERE together <= budget),
                    string_agg(word::text, ' & ') FILTER (WHERE joint >= budget / 2.0 OR i = 1))::tsquery,
           string_agg(format('ts_rank(c.tsv, $3[%1$s]) AS r%1$s', i), ', '),
           string_agg(format(CASE WHEN together <= budget AND scope IS NULL
                                  THEN 'ln(1 + (greatest($8 - count(*) FILTER (WHERE r%1$s > 0), 0) + 0.5) / (count(*) FILTER (WHERE r%1$s > 0) + 0.5)) AS w%1$s'
                                  ELSE '$4[%1$s] AS w%1$s' END, i), ', '),
           string_agg(format('w%1$s * r%1$s', i), ' + ')
    INTO lookup, ranks, weights, ranking
    FROM (SELECT word, i, sum(frequency) OVER (ORDER BY i) AS together,
                 asked.total * exp(sum(ln(least(frequency / asked.total, 1))) OVER (ORDER BY i)) AS joint
          FROM unnest(asked.words, asked.frequencies) WITH ORDINALITY AS t (word, frequency, i)) AS s;
    RETURN QUERY EXECUTE format($sql$
        WITH matched AS MATERIALIZED (
            SELECT c.id, 0.5 + 0.5 * length(c.tsv) / $5 AS length, %2$s
            FROM %1$s c
            WHERE c.tenant_id = $1 AND c.tsv @@ $2 %5$s),
        weighed AS MATERIALIZED (
            SELECT count(*) AS compared, %3$s FROM matched)
        SELECT matched.id, (%4$s) / length AS relevance, compared FROM matched, weighed
        ORDER BY relevance DESC, matched.id LIMIT $6
        $sql$, atrium.space_partition(space), ranks, weights, ranking,
        CASE WHEN scope IS NOT NULL THEN 'AND c.document_id = ANY ($7)' END)
    USING atrium.required_tenant(), lookup, asked.words, asked.weights, asked.mean_length, top, scope, asked.total;
END
$$;

-- The one search: by the vector, by the words, or both fused (reciprocal ranks). A null vector or null words leave that half out.
-- `foreign_weight` is what the vector half counts for chunks that are not English: below 1 for models that only know English.
CREATE FUNCTION atrium.search_chunks(
        space smallint, vector halfvec, words text, collections text[], document_ids uuid[], filter jsonpath,
        foreign_weight double precision, top integer)
    RETURNS TABLE (chunk_id uuid, document_id uuid, document_name text, version integer, page_from integer, page_to integer,
                   page_starts integer[], char_start integer, char_end integer, heading text, language text, text text,
                   score double precision, vector_score double precision, keyword_score double precision, compared bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_nestloop = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    scope  uuid[] := atrium.search_scope(collections, document_ids, filter);
    pool   integer := CASE WHEN vector IS NULL OR words IS NULL THEN top ELSE greatest(top, 50) END;
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT n.*, row_number() OVER () AS place FROM atrium.nearest_chunks(space, vector, scope, 200, pool) AS n),
    worded AS MATERIALIZED (
        SELECT m.*, row_number() OVER () AS place FROM atrium.matching_chunks(space, words, scope, 600, pool) AS m),
    fused AS MATERIALIZED (
        SELECT id, max(nearness) AS nearness, max(relevance) AS relevance, max(near_place) AS near_place, max(worded_place) AS worded_place
        FROM (SELECT id, 1 - distance AS nearness, NULL::float8 AS relevance, place AS near_place, NULL::bigint AS worded_place FROM near
              UNION ALL
              SELECT id, NULL, relevance, NULL, place FROM worded) AS found
        GROUP BY id),
    -- By lists of ids, not by joins: whatever the planner believes of a growing table, these are one pass over an index.
    rows AS MATERIALIZED (
        SELECT c.id, c.document_id, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
               c.language, c.text
        FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant AND c.id = ANY (ARRAY(SELECT fused.id FROM fused))),
    owners AS MATERIALIZED (
        SELECT d.id, d.name, d.ready_version FROM atrium.documents d
        WHERE d.tenant_id = tenant AND d.deleted_at IS NULL AND d.id = ANY (ARRAY(SELECT rows.document_id FROM rows)))
    SELECT c.id, c.document_id, d.name, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
           c.language, c.text,
           CASE WHEN words IS NULL THEN f.nearness
                WHEN vector IS NULL THEN f.relevance
                ELSE coalesce(CASE WHEN c.language = 'en' THEN 1 ELSE foreign_weight END / (60 + f.near_place), 0)
                   + coalesce(1.0 / (60 + f.worded_place), 0) END AS final,
           f.nearness, f.relevance,
           coalesce((SELECT max(compared) FROM near), 0) + coalesce((SELECT max(compared) FROM worded), 0)
    FROM fused AS f
    JOIN rows AS c ON c.id = f.id
    JOIN owners AS d ON d.id = c.document_id AND d.ready_version = c.version
    ORDER BY final DESC, c.id
    LIMIT top;
END
$$;

REVOKE ALL ON FUNCTION atrium.required_tenant(), atrium.space_partition(smallint), atrium.search_scope(text[], uuid[], jsonpath),
    atrium.nearest_chunks(smallint, halfvec, uuid[], integer, integer), atrium.question_words(smallint, text, integer),
    atrium.matching_chunks(smallint, text, uuid[], integer, integer),
    atrium.search_chunks(smallint, halfvec, text, text[], uuid[], jsonpath, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    atrium.search_chunks(smallint, halfvec, text, text[], uuid[], jsonpath, double precision, integer) TO atrium_app;

RESET ROLE;
