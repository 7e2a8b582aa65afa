"""The networks in whose features images are measured: trained and exported here."""
