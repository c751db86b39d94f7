'use strict';

// From a trigger of the catalogue to two of Zapier's: an instant one, and a twin that polls and gives the same objects.

const { asked, filters, inputFields } = require('./fields');
const { receive, subscribe, unsubscribe } = require('./hooks');
const { ask } = require('./http');
const { outputFields } = require('./outputs');

/** All that a feed holds, so that nothing moves in from a later page; as many as Zapier shows while a Zap is set up. */
const ALL = 1000;
const SHOWN = 3;

const feed = (trigger, z, given, limit) => ask(z, `/v1/triggers/${trigger.key}`, { params: { ...filters(trigger, given), limit } });

const sample = (trigger, z) => ask(z, `/v1/triggers/${trigger.key}/sample`);

/** A poll: newest first, always the same window. An example is only made up where a person looks, never where runs begin. */
const poll = (trigger) => async (z, bundle) => {
  const { isLoadingSample } = bundle.meta || {};
  const events = await feed(trigger, z, bundle.inputData, isLoadingSample ? SHOWN : ALL);
  return events.length || !isLoadingSample ? events : sample(trigger, z);
};

/** What the editor shows of an instant trigger: past events, or a made-up one that says so. */
const recent = (trigger) => async (z, bundle) => {
  const events = await feed(trigger, z, bundle.inputData, SHOWN);
  return events.length ? events : sample(trigger, z);
};

const common = (trigger) => ({
  inputFields: inputFields(trigger),
  outputFields: outputFields(trigger.payload, trigger.sample),
  sample: trigger.sample,
});

const instant = (trigger) => ({
  key: trigger.key,
  noun: trigger.noun,
  display: { label: trigger.label, description: trigger.description },
  operation: {
    type: 'hook',
    performSubscribe: subscribe((given) => ({ trigger: trigger.key, ...asked(trigger, given) })),
    performUnsubscribe: unsubscribe,
    perform: receive(({ type, trigger: key }) => type === undefined && key === trigger.key), // an event has no type
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

module.exports = { ALL, SHOWN, instant, polled };
