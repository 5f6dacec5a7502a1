-- Words as each language has them: every stemmer that Postgres ships, and parts of words where a script has no spaces.
-- The generated column of atrium.chunks and the words of a question come from the same function, so both change at once;
-- writers wait, so that no row is computed by the old function after the last statement here has looked.
LOCK TABLE atrium.chunks IN SHARE ROW EXCLUSIVE MODE;

-- The letters that are written without spaces between words: Han, kana, Hangul (whose words carry their particles) | Thai, Lao,
-- Burmese, Khmer.
CREATE FUNCTION atrium.unspaced_letters() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '[\u3005\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3131-\u318E\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF'
        || '\uAC00-\uD7A3\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U0003FFFF]+|[\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF'
        || '\u1000-\u103F\u1780-\u17D3]+';

-- Every two letters that follow each other in such a run are a word, in East Asian scripts, and every three in the others, whose
-- letters say less; a shorter run is one word. Compared by code points: this is IMMUTABLE, and what a database sorts by is not.
CREATE FUNCTION atrium.unspaced_vector(content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(string_agg(format('''%s'':%s', part, least(at, 16383)), ' '), '')::tsvector
    FROM (SELECT substr(run, i, size) AS part, row_number() OVER () AS at
          FROM regexp_matches(content, atrium.unspaced_letters(), 'g') AS found (runs),
               LATERAL (SELECT runs[1] AS run, CASE WHEN runs[1] COLLATE "C" < U&'\2000' THEN 3 ELSE 2 END AS size) AS sized,
               LATERAL generate_series(1, greatest(length(run) - size + 1, 1)) AS i) AS parts;
END;

CREATE FUNCTION atrium.stemmed_vector(language text, content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE language
        WHEN 'en' THEN to_tsvector('pg_catalog.english'::regconfig, content)
        WHEN 'de' THEN to_tsvector('pg_catalog.german'::regconfig, content)
        WHEN 'fr' THEN to_tsvector('pg_catalog.french'::regconfig, content)
        WHEN 'es' THEN to_tsvector('pg_catalog.spanish'::regconfig, content)
        WHEN 'ar' THEN to_tsvector('pg_catalog.arabic'::regconfig, content)
        WHEN 'ca' THEN to_tsvector('pg_catalog.catalan'::regconfig, content)
        WHEN 'da' THEN to_tsvector('pg_catalog.danish'::regconfig, content)
        WHEN 'el' THEN to_tsvector('pg_catalog.greek'::regconfig, content)
        WHEN 'et' THEN to_tsvector('pg_catalog.estonian'::regconfig, content)
        WHEN 'eu' THEN to_tsvector('pg_catalog.basque'::regconfig, content)
        WHEN 'fi' THEN to_tsvector('pg_catalog.finnish'::regconfig, content)
        WHEN 'ga' THEN to_tsvector('pg_catalog.irish'::regconfig, content)
        WHEN 'hi' THEN to_tsvector('pg_catalog.hindi'::regconfig, content)
        WHEN 'hu' THEN to_tsvector('pg_catalog.hungarian'::regconfig, content)
        WHEN 'hy' THEN to_tsvector('pg_catalog.armenian'::regconfig, content)
        WHEN 'id' THEN to_tsvector('pg_catalog.indonesian'::regconfig, content)
        WHEN 'it' THEN to_tsvector('pg_catalog.italian'::regconfig, content)
        WHEN 'lt' THEN to_tsvector('pg_catalog.lithuanian'::regconfig, content)
        WHEN 'ne' THEN to_tsvector('pg_catalog.nepali'::regconfig, content)
        WHEN 'nl' THEN to_tsvector('pg_catalog.dutch'::regconfig, content)
        WHEN 'no' THEN to_tsvector('pg_catalog.norwegian'::regconfig, content)
        WHEN 'pt' THEN to_tsvector('pg_catalog.portuguese'::regconfig, content)
        WHEN 'ro' THEN to_tsvector('pg_catalog.romanian'::regconfig, content)
        WHEN 'ru' THEN to_tsvector('pg_catalog.russian'::regconfig, content)
        WHEN 'sr' THEN to_tsvector('pg_catalog.serbian'::regconfig, content)
        WHEN 'sv' THEN to_tsvector('pg_catalog.swedish'::regconfig, content)
        WHEN 'ta' THEN to_tsvector('pg_catalog.tamil'::regconfig, content)
        WHEN 'tr' THEN to_tsvector('pg_catalog.turkish'::regconfig, content)
        WHEN 'yi' THEN to_tsvector('pg_catalog.yiddish'::regconfig, content)
        ELSE to_tsvector('pg_catalog.simple'::regconfig, content)
    END;

-- Text of one-byte letters has none of these scripts, which is seen without looking for them.
CREATE OR REPLACE FUNCTION atrium.text_vector(language text, content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN octet_length(content) > length(content) AND content ~ atrium.unspaced_letters()
            THEN atrium.stemmed_vector(language, regexp_replace(normalize(content, NFKC), atrium.unspaced_letters() || '|[\u3000-\u303F\u30FB]', ' ', 'g'))
                 || atrium.unspaced_vector(normalize(content, NFKC))
        ELSE atrium.stemmed_vector(language, content)
    END;

-- What is stored and would be stored otherwise now: texts in scripts without spaces, and languages that have got a stemmer (none,
-- unless the code that detects them came before this). All else is what it was.
UPDATE atrium.chunks SET text = text
WHERE language NOT IN ('en', 'de', 'fr', 'es', '')
   OR (octet_length(heading || text) > length(heading || text) AND heading || text ~ atrium.unspaced_letters());
