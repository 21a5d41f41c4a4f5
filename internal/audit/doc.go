// Package audit holds the tests of schema audit: the views and functions of
// db/migrations that auditors, analysts and on-call engineers read. It tells a
// history through the real stores, runs every query of docs/sql-cookbook.md
// and every grant of docs/dba.md on it, and measures the searches on a log of a
// million commands. There is no code here that the server runs: who reads the
// schema needs SQL and nothing else.
package audit
