'use strict';

const { dynamic } = require('../lib/fields');
const { ask } = require('../lib/http');

const KINDS = { token: 'A token', index: 'An index', event: 'An event' };

/** The field that goes with what is described. */
const subject = (_z, bundle) => {
  const field = { type: 'string', required: true };
  return {
    token: [{ ...field, key: 'token', label: 'Token', helpText: 'Id, symbol or name.', ...dynamic('tokens') }],
    index: [{ ...field, key: 'index', label: 'Index', helpText: 'Id, symbol or name.', ...dynamic('indices') }],
    event: [
      {
        ...field,
        key: 'event_id',
        label: 'Event',
        helpText: 'One of the newest, or the Event ID of a step before.',
        dynamic: 'list_events.id.name',
        search: 'latest_events.id',
      },
    ],
  }[kindOf(bundle.inputData)];
};

const kindOf = ({ kind } = {}) => (kind in KINDS ? kind : 'token');

const perform = (z, bundle) => {
  const name = { token: 'token', index: 'index', event: 'event_id' }[kindOf(bundle.inputData)];
  return ask(z, '/v1/describe', { method: 'POST', body: { [name]: String(bundle.inputData[name] || '') } });
};

module.exports = {
  key: 'describe',
  noun: 'Description',
  display: { label: 'Create Description', description: 'Creates a short text about a token, an index or an event, ready to post.' },
  operation: {
    inputFields: [
      {
        key: 'kind',
        label: 'About',
        choices: Object.entries(KINDS).map(([value, label]) => ({ value, sample: value, label })),
        required: true,
        altersDynamicFields: true,
        helpText: 'What the text tells of. It fits into one Discord message, and is made by a template.',
      },
      subject,
    ],
    perform,
    sample: {
      kind: 'token',
      text: '**Bitcoin (BTC)**\nTrader grade: **84.16 of 100**\nSharpe ratio: **1.06**\n_Facts, not advice._',
      characters: 89,
      subject: 'token:3375',
      subject_id: 3375,
      subject_name: 'Bitcoin',
      subject_symbol: 'BTC',
      event_id: null,
    },
    outputFields: [
      { key: 'kind', label: 'About', type: 'string' },
      { key: 'text', label: 'Text', type: 'string' },
      { key: 'characters', label: 'Characters', type: 'integer' },
      { key: 'subject', label: 'Subject', type: 'string' },
      { key: 'subject_id', label: 'Subject ID', type: 'integer' },
      { key: 'subject_name', label: 'Name', type: 'string' },
      { key: 'subject_symbol', label: 'Symbol', type: 'string' },
      { key: 'event_id', label: 'Event ID', type: 'string' },
    ],
  },
};
