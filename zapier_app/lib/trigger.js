'use strict';

// From a trigger of the catalogue to two of Zapier's: an instant one, and a twin that polls and gives the same objects.

const { filters, inputFields } = require('./fields');
const { isBundled, receive, subscribe, unsubscribe } = require('./hooks');
const { ask } = require('./http');
const { outputFields } = require('./outputs');

/** All that a feed holds, so that nothing moves in from a later page; as many as Zapier shows while a Zap is set up. */
const ALL = 1000;
const SHOWN = 3;

const BUNDLE = {
  key: 'bundle',
  label: 'One Run For All',
  type: 'boolean',
  required: false,
  helpText: 'Yes gives one run for all that a reading brings, as line items with a ready text: 40 tokens then take 1 task.',
};

const feed = (trigger, z, given, limit) => {
  const params = { ...filters(trigger, given), bundle: isBundled(given) || undefined, limit };
  return ask(z, `/v1/triggers/${trigger.key}`, { params });
};

const sample = (trigger, z, given) =>
  ask(z, `/v1/triggers/${trigger.key}/sample`, { params: { bundle: isBundled(given) || undefined } });

/** A poll: newest first, always the same window. An example is only made up where a person looks, never where runs begin. */
const poll = (trigger) => async (z, bundle) => {
  const { isLoadingSample } = bundle.meta || {};
  const events = await feed(trigger, z, bundle.inputData, isLoadingSample ? SHOWN : ALL);
  return events.length || !isLoadingSample ? events : sample(trigger, z, bundle.inputData);
};

/** What the editor shows of an instant trigger: past events, or a made-up one that says so. */
const recent = (trigger) => async (z, bundle) => {
  const events = await feed(trigger, z, bundle.inputData, SHOWN);
  return events.length ? events : sample(trigger, z, bundle.inputData);
};

const common = (trigger) => ({
  inputFields: inputFields(trigger, [BUNDLE]),
  outputFields: outputFields(trigger.payload, trigger.sample),
  sample: trigger.sample,
});

const instant = (trigger) => ({
  key: trigger.key,
  noun: trigger.noun,
  display: { label: trigger.label, description: trigger.description },
  operation: {
    type: 'hook',
    performSubscribe: subscribe(trigger),
    performUnsubscribe: unsubscribe,
    perform: receive(trigger),
    performList: recent(trigger),
    ...common(trigger),
  },
});

const polled = (trigger) => ({
  key: `${trigger.key}_poll`,
  noun: trigger.noun,
  display: { label: `${trigger.label} (Polling)`, description: trigger.description },
  operation: { type: 'polling', perform: poll(trigger), ...common(trigger) },
});

module.exports = { instant, polled };
