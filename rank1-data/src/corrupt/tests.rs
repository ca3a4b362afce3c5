//! Claims about all corruptions together.

