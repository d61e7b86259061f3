"""Makes discarded drafts anew from their copies."""
