'use strict';

// One run for all that a reading brings of a condition, whichever it is: 40 tokens then take one task. It is a trigger of its
// own, so that what a trigger gives always has the same shape.

const { bundle: sample } = require('../catalogue.json');
const { itsFields, shared, whichTrigger, wish } = require('./catalogue');
const { receive, subscribe, unsubscribe } = require('./hooks');
const { ask } = require('./http');
const { outputFields } = require('./outputs');
const { ALL, SHOWN } = require('./trigger');

const TEXTS = {
  id: 'Bundle ID',
  type: 'Type',
  trigger: 'Trigger Key',
  label: 'Trigger',
  summary: 'Summary',
  names: 'Names',
  symbols: 'Symbols',
  first_name: 'First Name',
  first_symbol: 'First Symbol',
  first_summary: 'First Summary',
  discord_text: 'Discord Text',
};
const payload = [
  { key: 'schema', label: 'Schema Version', type: 'integer' },
  ...Object.entries(TEXTS).map(([key, label]) => ({ key, label, type: 'string' })),
  { key: 'is_sample', label: 'Is Sample', type: 'boolean' },
  { key: 'sandbox', label: 'Is Sandbox Data', type: 'boolean' },
  { key: 'as_of', label: 'As Of', type: 'string', format: 'date-time' },
  { key: 'known_at', label: 'Known At', type: 'string', format: 'date-time' },
  { key: 'count', label: 'Count', type: 'integer' },
  { key: 'events', label: 'Events', type: 'array', fields: shared },
];

const feed = (z, given, limit) => {
  const { trigger, options, scope } = wish(given);
  return ask(z, `/v1/triggers/${trigger}`, { params: { ...options, ...scope, bundle: true, limit } });
};

const poll = async (z, bundle) => {
  const { isLoadingSample } = bundle.meta || {};
  const bundles = await feed(z, bundle.inputData, isLoadingSample ? SHOWN : ALL);
  return bundles.length || !isLoadingSample ? bundles : [sample];
};

const recent = async (z, bundle) => {
  const bundles = await feed(z, bundle.inputData, SHOWN);
  return bundles.length ? bundles : [sample];
};

const common = { inputFields: [whichTrigger, itsFields], outputFields: outputFields(payload, sample), sample };
const noun = 'Bundle of Events';
const description = 'Triggers when a reading brings events of a condition, with all of them in one run.';

const instant = {
  key: 'events_bundled',
  noun,
  display: { label: 'New Events in One Run', description },
  operation: {
    type: 'hook',
    performSubscribe: subscribe(wish, { bundle: true }),
    performUnsubscribe: unsubscribe,
    perform: receive((message, { inputData }) => message.type === 'bundle' && message.trigger === inputData.trigger),
    performList: recent,
    ...common,
  },
};

const polled = {
  key: 'events_bundled_poll',
  noun,
  display: { label: 'New Events in One Run (Polling)', description },
  operation: { type: 'polling', perform: poll, ...common },
};

module.exports = [instant, polled];
