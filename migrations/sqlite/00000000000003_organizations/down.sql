DROP TABLE invitations; DROP TABLE members; DROP TABLE organizations;
