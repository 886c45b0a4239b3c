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
--= CREATE JOB a AS INSERT INTO out SELECT 1.0, 0.5, 1000.0, 0.0025, 7, 9223372036854775808 FROM src
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
