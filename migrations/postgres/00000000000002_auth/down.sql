DROP TABLE signing_keys, api_keys, spent_tokens, sessions, users;
DROP FUNCTION archesai_spend_token;
