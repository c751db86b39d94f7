"""From the catalogue to what others read: documentation tables, the Zapier definition, OpenAPI parts."""
