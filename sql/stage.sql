-- Stages: where a deal can stand. Reference data: few, read whole, seen by everyone.

-- name: all -> StageRow
-- Every stage, in the order of the pipeline.
select id, name, color, position, probability, is_won, is_lost, external_id
from stage
order by position, name, id;
