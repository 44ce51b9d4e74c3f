-- JSON: what came from the encoder and what of it is stored. Absent for recordings made before, and where a crash left only the finished file.
ALTER TABLE assets ADD COLUMN report TEXT;
