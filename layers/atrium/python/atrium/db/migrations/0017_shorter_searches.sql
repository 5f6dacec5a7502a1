-- Searches that cost less outside of what they compare: nothing is planned twice on one connection, and a short question pays for no
-- words that it has not got.

SET LOCAL ROLE atrium_definer;

-- Whether the tenant has chunks in other spaces than this one. Its first space and its last are each one look into the index; an EXISTS
-- over the spaces would be planned as a pass over all that the tenant has. In a function, so that a connection plans it once.
CREATE FUNCTION atrium.search_elsewhere(space smallint) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = atrium, public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    tenant uuid := atrium.required_tenant();
BEGIN
    RETURN coalesce((SELECT b.space_id FROM atrium.chunk_bits b WHERE b.tenant_id = tenant ORDER BY b.space_id LIMIT 1) <> space
        OR (SELECT b.space_id FROM atrium.chunk_bits b WHERE b.tenant_id = tenant ORDER BY b.space_id DESC LIMIT 1) <> space, false);
END
$$;
REVOKE ALL ON FUNCTION atrium.search_elsewhere(smallint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.search_elsewhere(smallint) TO atrium_app;

-- The chunks that share words with the question, best first, ranked by BM25 (k1 1.5, b 0.75). A chunk must hold one of the rarer words: as
-- many are looked up as together match about `budget` chunks. `compared`: how many were ranked.
-- How often a word occurs is read out of ts_rank: for one word that is (1 + 1/4 + … + 1/n²) / 16.4493, whose distance y from its limit
-- is 1 / (n + ½) within three in a hundred; BM25's n (k1 + 1) / (n + K) is then (2 - y) / (1 + (K - ½) y), but for a constant.
-- Sixteen columns written out, instead of one statement per number of words: it is planned once.
CREATE OR REPLACE FUNCTION atrium.matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer,
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
    many   boolean;
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
    many := cardinality(q) > 8;   -- most questions have no more; the other eight columns, empty, are a seventh of the work
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
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[9]), 0) END AS y9,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[10]), 0) END AS y10,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[11]), 0) END AS y11,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[12]), 0) END AS y12,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[13]), 0) END AS y13,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[14]), 0) END AS y14,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[15]), 0) END AS y15,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[16]), 0) END AS y16
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
             + CASE WHEN many THEN
                   coalesce(w[9] * (2 - y9) / (1 + k * y9), 0) + coalesce(w[10] * (2 - y10) / (1 + k * y10), 0)
                 + coalesce(w[11] * (2 - y11) / (1 + k * y11), 0) + coalesce(w[12] * (2 - y12) / (1 + k * y12), 0)
                 + coalesce(w[13] * (2 - y13) / (1 + k * y13), 0) + coalesce(w[14] * (2 - y14) / (1 + k * y14), 0)
                 + coalesce(w[15] * (2 - y15) / (1 + k * y15), 0) + coalesce(w[16] * (2 - y16) / (1 + k * y16), 0) ELSE 0 END AS relevance
        FROM matched AS m, weighed
        ORDER BY relevance DESC, m.id LIMIT top)
    SELECT array_agg(r.id), array_agg(r.relevance), array_agg(r.language), max(r.compared)
    INTO ids, relevances, languages, compared
    FROM ranked AS r;
END
$$;

RESET ROLE;
