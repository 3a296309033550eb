DROP TABLE usage;
DROP TABLE usage_tallies;
