-- Each line is a canonical text and comes back as it is, or the line after it, behind `--=`, says its canonical form.

SHOW JOBS
SHOW SNAPSHOTS
show jobs ;;
--= SHOW JOBS

DROP JOB a
DROP JOB IF EXISTS a
DROP JOB a WITH SNAPSHOT s
DROP JOB IF EXISTS IF WITH SNAPSHOT SNAPSHOT
drop job"Case Kept"with snapshot b
--= DROP JOB "Case Kept" WITH SNAPSHOT b

ALTER JOB a SUSPEND
ALTER JOB a RESUME
ALTER JOB RESTART RESTART
alter /* which? */ job a restart -- this one
--= ALTER JOB a RESTART

CREATE SNAPSHOT s FOR JOB a
CREATE OR REPLACE SNAPSHOT "s-1" FOR JOB "my.job"
DROP SNAPSHOT s
DROP SNAPSHOT IF EXISTS s

CREATE JOB a AS INSERT INTO out SELECT * FROM src
CREATE JOB IF NOT EXISTS a AS SINK INTO out SELECT * FROM src
CREATE JOB a OPTIONS () AS INSERT INTO out SELECT * FROM src
--= CREATE JOB a AS INSERT INTO out SELECT * FROM src
CREATE JOB a OPTIONS ('parallelism' = '2', 'snapshotIntervalMillis' = '5000') AS INSERT INTO out SELECT * FROM src
CREATE JOB a OPTIONS (a '1', 'b' = '2', "c" '3', d = '4', "e"='5') AS INSERT INTO out SELECT * FROM src
--= CREATE JOB a OPTIONS ('a' = '1', 'b' = '2', 'c' = '3', 'd' = '4', 'e' = '5') AS INSERT INTO out SELECT * FROM src
CREATE JOB a OPTIONS ('it''s' = 'a ''quoted'' \n') AS INSERT INTO out SELECT * FROM src
CREATE JOB "select" AS INSERT INTO "my-topic.v1" (a, "b c") SELECT x, y FROM "src.raw"
CREATE JOB JOB AS SINK INTO SINK SELECT JOB, JOBS, SNAPSHOT, SUSPEND, RESUME, RESTART, OPTIONS FROM STATE
CREATE JOB a AS SINK INTO out SELECT KEY AS TYPE, NAME AS STATE, MAPPING FROM KEY
CREATE JOB "a""b" AS INSERT INTO out SELECT * FROM src
Create Job a As Insert Into out Select id Id, ID "iD" From src
--= CREATE JOB a AS INSERT INTO out SELECT id AS Id, ID AS iD FROM src
CREATE JOB a AS INSERT INTO out SELECT*,a*b/* c */,d FROM src//e
--= CREATE JOB a AS INSERT INTO out SELECT *, a * b, d FROM src

CREATE JOB a AS INSERT INTO out SELECT a, 1, 1.5, 'it''s -- no comment', '', TRUE, FALSE, NULL FROM src
CREATE JOB a AS INSERT INTO out SELECT 1., .5, 1e3, 2.5E-3, 007, 9223372036854775808 FROM src
--= CREATE JOB a AS INSERT INTO out SELECT 1, 0.5, 1e+3, 2.5e-3, 7, 9223372036854775808 FROM src
CREATE JOB a AS INSERT INTO out SELECT -1, -a, +a, -(-a), - 1 FROM src
--= CREATE JOB a AS INSERT INTO out SELECT -1, -a, +a, -(-a), -1 FROM src
CREATE JOB a AS INSERT INTO out SELECT a + b - c, a + (b - c), (a + b) * c, a + b * c % d FROM src
CREATE JOB a AS INSERT INTO out SELECT (a * b) + c, ((a)), (a + b) + c, -(a * b) FROM src
--= CREATE JOB a AS INSERT INTO out SELECT a * b + c, a, (a + b) + c, -(a * b) FROM src
CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE a = 1 AND b <> 2 OR c < 3 AND NOT d >= 4
CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE a != b
--= CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE a <> b
CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE (a OR b) AND (NOT (a AND b))
--= CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE (a OR b) AND NOT (a AND b)
CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE NOT a + 1 IS NULL AND (b > 1) IS NOT NULL
CREATE JOB a AS INSERT INTO out SELECT * FROM src WHERE (a = b) = (NOT c)

SHOW MAPPINGS
SHOW TOPICS
SHOW FUNCTIONS
show functions like 'date%';
--= SHOW FUNCTIONS LIKE 'date%'
SHOW JOBS LIKE 'o''_%' AS OF OFFSET 12
SHOW JOBS AS OF OFFSET 12
SHOW SNAPSHOTS AS OF TIMESTAMP '2026-01-31T08:30:00Z'
SHOW CREATE JOB "my.job"
SHOW HISTORY FOR JOB a
DESCRIBE JOB a
describe mapping m;
--= DESCRIBE MAPPING m
DESCRIBE SNAPSHOT s
EXPLAIN INSERT INTO out SELECT * FROM s
explain code insert into out select * from s;
--= EXPLAIN CODE INSERT INTO out SELECT * FROM s
EXPLAIN CODE CREATE JOB code AS INSERT INTO out SELECT code FROM s
explain analyze sink into out select * from s;
--= EXPLAIN ANALYZE SINK INTO out SELECT * FROM s
EXPLAIN ANALYZE CREATE JOB analyze AS INSERT INTO out SELECT analyze FROM s

ALTER JOB a OPTIONS ('parallelism' = '2')
ALTER JOB a OPTIONS (onError 'skip') RESUME
--= ALTER JOB a OPTIONS ('onError' = 'skip') RESUME
ALTER JOB a OPTIONS ()

CREATE MAPPING m TYPE Kafka
CREATE OR REPLACE MAPPING m EXTERNAL NAME "orders.eu" (id BIGINT, city VARCHAR EXTERNAL NAME "address.city") TYPE Kafka
CREATE MAPPING IF NOT EXISTS m (d DOUBLE PRECISION, t TIMESTAMP(3) WITH TIME ZONE) TYPE Kafka OPTIONS ('keyFormat' = 'varchar')
create external mapping m(x int,name varchar)type kafka options(valueFormat'json-flat')
--= CREATE MAPPING m (x INT, name VARCHAR) TYPE kafka OPTIONS ('valueFormat' = 'json-flat')
CREATE MAPPING MAPPING EXTERNAL NAME TYPE (TYPE VARCHAR, NAME VARCHAR, EXTERNAL VARCHAR, OFFSET VARCHAR) TYPE Kafka
DROP MAPPING m
DROP EXTERNAL MAPPING IF EXISTS m
--= DROP MAPPING IF EXISTS m
CREATE JOB a AS INSERT INTO out SELECT CAST(b AS ROW("order" BIGINT, x VARCHAR)) AS r FROM src
CREATE MAPPING m (r ROW("select" BIGINT, "b c" ARRAY<ROW("from" DATE)>)) TYPE Kafka
CREATE JOB a AS INSERT INTO out SELECT TRANSFORM(xs, x => x * 2 + 1) AS a, FILTER(m, (k, v) => k <> 'a' OR v > 1) AS b, REDUCE(xs, 0, (acc, x) => acc + x) AS c FROM src
create job a as insert into out select transform(xs,(x)=>x.y),Transform ( m , ( k,"V 2" ) => ucase(k) , (k,v)=>(v+1) ) from src;
--= CREATE JOB a AS INSERT INTO out SELECT TRANSFORM(xs, x => x.y), TRANSFORM(m, (k, "V 2") => UCASE(k), (k, v) => v + 1) FROM src
CREATE JOB a AS INSERT INTO out SELECT TRANSFORM(FILTER(xs, "order" => "order" = x), x => FILTER(x, y => (y = x) IS TRUE)) FROM src
CREATE JOB filter AS INSERT INTO out SELECT filter, reduce AS transform FROM src
CREATE JOB a AS INSERT INTO out SELECT straße, 数量 AS größe FROM s WHERE ß.naïve = 1
--= CREATE JOB a AS INSERT INTO out SELECT "straße", "数量" AS "größe" FROM s WHERE "ß"."naïve" = 1
CREATE JOB a AS INSERT INTO out SELECT "say ""hi""", m."\" AS """" FROM s
CREATE MAPPING m ("a""b" BIGINT EXTERNAL NAME "o.x""y\", r ROW("q\" DATE, """" VARCHAR)) TYPE Kafka
