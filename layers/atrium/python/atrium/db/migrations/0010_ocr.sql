-- What OCR read of a version, for its owner to see how far to trust it. NULL until its text was extracted.

ALTER TABLE atrium.document_versions
    ADD COLUMN ocr_pages       integer CHECK (ocr_pages >= 0),               -- 0: all its text was text already
    ADD COLUMN ocr_confidence  real CHECK (ocr_confidence BETWEEN 0 AND 1),  -- the pages' mean; null without any
    ADD COLUMN ocr_poor_pages  integer[] NOT NULL DEFAULT '{}';              -- read with less than 0.7, or not at all
