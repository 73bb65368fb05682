//! A model of Longhorn's controllers: pure reconcile functions and a driver that runs them against any API server
