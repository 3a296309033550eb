//! Claims steps and runs them, relays events, keeps house.
