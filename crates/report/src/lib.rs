//! Consumers of findings, statistics and events: tables, JSON and the knowledge base's text
