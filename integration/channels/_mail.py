"""The look of an e-mail: tables and styles in place, as mail programs ask; every value is escaped."""

from __future__ import annotations

from jinja2 import Environment, StrictUndefined

_HTML = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ title }}</title></head>
<body style="margin:0;padding:0;background:#f3f4f6">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6"><tr><td align="center" \
style="padding:24px 12px">
<table role="presentation" width="560" cellpadding="0" cellspacing="0" style="width:100%;max-width:560px;background:#ffffff;\
border-radius:8px;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#111827">
{% if notes %}<tr><td style="padding:10px 24px;background:#fef3c7;color:#92400e;font-size:13px;border-radius:8px 8px 0 0">\
This is {{ notes | join(", ") }}.</td></tr>
{% endif %}<tr><td style="padding:24px 24px 4px;font-size:13px;color:#6b7280">{{ title }}</td></tr>
<tr><td style="padding:0 24px 16px;font-size:20px;line-height:28px;font-weight:600">{{ summary }}</td></tr>
{% if events %}<tr><td style="padding:0 24px 16px;font-size:14px;line-height:22px">{% for line in events %}{{ line }}<br>
{% endfor %}</td></tr>
{% endif %}{% macro rows(heading, lines) %}{% if lines %}<tr><td style="padding:0 24px 16px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="font-size:14px;border-top:1px solid #e5e7eb">
<tr><td colspan="2" style="padding:12px 0 4px;font-size:12px;color:#6b7280">{{ heading }}</td></tr>
{% for label, value in lines %}<tr><td style="padding:4px 12px 4px 0;color:#6b7280">{{ label }}</td>\
<td align="right" style="padding:4px 0">{{ value }}</td></tr>
{% endfor %}</table></td></tr>
{% endif %}{% endmacro %}{{ rows("What happened", facts) }}{{ rows("Where it stands", snapshot) }}\
{% if url %}<tr><td style="padding:4px 24px 24px"><a href="{{ url }}" style="display:inline-block;padding:10px 18px;\
background:#1d4ed8;color:#ffffff;text-decoration:none;border-radius:6px;font-size:14px">See it in Gradewire</a></td></tr>
{% endif %}<tr><td style="padding:12px 24px 20px;font-size:12px;line-height:18px;color:#6b7280;border-top:1px solid #e5e7eb">\
As of {{ as_of }} · {{ id }}<br>Market information, not advice.\
{% if unsubscribe %}<br><a href="{{ unsubscribe }}" style="color:#6b7280">Unsubscribe</a>{% endif %}</td></tr>
</table></td></tr></table>
</body>
</html>
"""

_TEXT = """\
{% if notes %}[{{ notes | join(", ") }}]

{% endif %}{{ summary }}

{% for line in events %}{{ line }}
{% endfor %}{% for label, value in facts %}{{ label }}: {{ value }}
{% endfor %}{% if snapshot %}
Where it stands
{% for label, value in snapshot %}{{ label }}: {{ value }}
{% endfor %}{% endif %}{% if url %}
{{ url }}
{% endif %}
--\x20
As of {{ as_of }} · {{ id }}
Market information, not advice.
{% if unsubscribe %}Unsubscribe: {{ unsubscribe }}
{% endif %}"""

HTML = Environment(autoescape=True, keep_trailing_newline=True, undefined=StrictUndefined).from_string(_HTML)
#: Plain text has nothing to escape: the values are on one line each.
TEXT = Environment(autoescape=False, keep_trailing_newline=True, undefined=StrictUndefined).from_string(_TEXT)  # noqa: S701
