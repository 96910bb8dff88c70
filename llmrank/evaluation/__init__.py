"""How an evaluation is composed: settings, Cases, method and session, and the verbs that put them together."""
