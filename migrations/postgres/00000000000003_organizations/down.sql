DROP TABLE invitations, members, organizations;
