'use strict';

// The catalogue, and what searches and actions say of every trigger.

const { triggers } = require('../catalogue.json');
const { asked, fieldsNow } = require('./fields');
const { outputFields } = require('./outputs');
const { dropdown } = require('./words');

const named = (key) => triggers.find((trigger) => trigger.key === key);

/** The fields that every event has. */
const shared = triggers[0].payload.filter(({ key }) => triggers.every(({ payload }) => payload.some((one) => one.key === key)));

const pick = (sample) => Object.fromEntries(shared.map(({ key }) => [key, sample[key]]));
const eventSample = pick(named('sharpe_threshold').sample);
const eventFields = outputFields(shared, eventSample);

/** A field that asks for a trigger; the trigger's own fields appear once it is chosen. */
const whichTrigger = {
  key: 'trigger',
  label: 'Condition',
  choices: dropdown(triggers.map(({ key }) => key), (key) => named(key).noun),
  required: true,
  altersDynamicFields: true,
  helpText: 'What is looked for. Its options appear below.',
};

const itsFields = (z, bundle) => {
  const trigger = named((bundle.inputData || {}).trigger);
  return trigger ? fieldsNow(trigger, z, bundle) : [];
};

/** A trigger with options and scope, as they were entered. */
const wish = (given) => {
  const trigger = named(given.trigger);
  if (!trigger) throw new Error('Choose a condition.');
  return { trigger: trigger.key, ...asked(trigger, given) };
};

module.exports = { eventFields, eventSample, itsFields, named, shared, triggers, whichTrigger, wish };
