'use strict';

const { itsFields, named, whichTrigger, wish } = require('../lib/catalogue');
const { ask } = require('../lib/http');

/** Events given in full; all are counted. */
const SHOWN = 10;

const perform = async (z, bundle) => {
  const { from, to } = bundle.inputData;
  const body = { ...wish(bundle.inputData), limit: SHOWN, from: day(from), to: day(to) };
  const found = await ask(z, '/v1/backtests', { method: 'POST', body });
  const brief = {
    trigger: found.trigger,
    label: found.label,
    from: found.from,
    to: found.to,
    watched: found.watched,
    subjects: found.subjects,
    count: found.count,
    flaps: found.flaps ? found.flaps.count : null,
    missing_days: found.missing ? found.missing.days : 0,
    calls_a_month: found.cost.calls_a_month,
  };
  const events = found.events.map(({ id, subject_name, as_of, summary }) => ({ id, subject_name, as_of, summary }));
  return { id: `${found.trigger}:${found.from}:${found.to}`, ...brief, text: text(brief, events), events };
};

/** A day, of what may be a time. */
const day = (value) => (value ? String(value).slice(0, 10) : null);

const text = (brief, events) => {
  const found = `${brief.count} events of ${brief.subjects} from ${brief.from} to ${brief.to}`;
  const flaps = brief.flaps === null ? '' : `, ${brief.flaps} of which turned back soon`;
  const lacking = brief.missing_days ? ` ${brief.missing_days} days are missing.` : '';
  const lines = events.map(({ summary }) => `• ${summary}`);
  const head = `${named(brief.trigger).noun}: ${found}${flaps}.${lacking} Watching takes ${brief.calls_a_month} calls a month.`;
  return [head, ...lines, 'Facts about the past, not advice.'].join('\n');
};

const sample = {
  id: 'grade_changed:2023-11-07:2024-11-06',
  trigger: 'grade_changed',
  label: 'New Grade Change',
  from: '2023-11-07',
  to: '2024-11-06',
  watched: 2,
  subjects: 2,
  count: 14,
  flaps: 3,
  missing_days: 0,
  calls_a_month: 31,
  text: 'Grade Change: 14 events of 2 from 2023-11-07 to 2024-11-06, 3 of which turned back soon.',
  events: [
    {
      id: 'evt_samplesamplesamplesamplesa',
      subject_name: 'Bitcoin',
      as_of: '2024-10-21T00:00:00Z',
      summary: "Bitcoin's trader grade rose by 12 points on 21 October 2024.",
    },
  ],
};

module.exports = {
  key: 'run_backtest',
  noun: 'Backtest',
  display: { label: 'Run Backtest', description: 'Runs a condition over the stored past and counts what it would have told.' },
  operation: {
    inputFields: [
      whichTrigger,
      {
        key: 'from',
        label: 'First Day',
        type: 'datetime',
        required: false,
        helpText: 'At most 400 days ago; empty means 365 days before the last.',
      },
      { key: 'to', label: 'Last Day', type: 'datetime', required: false, helpText: 'Empty means the newest that is stored.' },
      itsFields,
    ],
    perform,
    sample,
    outputFields: [
      { key: 'id', label: 'Backtest ID', type: 'string' },
      { key: 'trigger', label: 'Condition Key', type: 'string' },
      { key: 'label', label: 'Condition', type: 'string' },
      { key: 'from', label: 'First Day', type: 'string' },
      { key: 'to', label: 'Last Day', type: 'string' },
      { key: 'watched', label: 'Watched', type: 'integer' },
      { key: 'subjects', label: 'Of These With Events', type: 'integer' },
      { key: 'count', label: 'Events Count', type: 'integer' },
      { key: 'flaps', label: 'Turned Back Soon', type: 'integer' },
      { key: 'missing_days', label: 'Missing Days', type: 'integer' },
      { key: 'calls_a_month', label: 'Calls A Month', type: 'integer' },
      { key: 'text', label: 'Text', type: 'string' },
      { key: 'events[]id', label: 'Events: Event ID', type: 'string' },
      { key: 'events[]subject_name', label: 'Events: Name', type: 'string' },
      { key: 'events[]as_of', label: 'Events: As Of', type: 'datetime' },
      { key: 'events[]summary', label: 'Events: Summary', type: 'string' },
    ],
  },
};
