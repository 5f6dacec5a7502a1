-- Prompts: templates, versions, labels.
SELECT;
