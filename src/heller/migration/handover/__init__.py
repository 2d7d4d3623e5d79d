"""One owner per user while two systems live: the fence, the handover, the return."""
