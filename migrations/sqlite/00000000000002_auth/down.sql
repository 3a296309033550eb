DROP TABLE signing_keys; DROP TABLE api_keys; DROP TABLE spent_tokens; DROP TABLE sessions; DROP TABLE users;
