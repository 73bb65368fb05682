//! Names of Longhorn's backing image managers, for every release and for what-if schemes
