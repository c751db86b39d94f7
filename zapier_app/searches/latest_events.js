'use strict';

const { eventFields, eventSample, itsFields, whichTrigger, wish } = require('../lib/catalogue');
const { ask } = require('../lib/http');

const MOST = 10;

const perform = async (z, bundle) => {
  const { trigger, options, scope } = wish(bundle.inputData);
  const limit = Math.min(MOST, Math.max(1, Number.parseInt(bundle.inputData.limit, 10) || 1));
  return ask(z, `/v1/triggers/${trigger}`, { params: { ...options, ...scope, limit } });
};

module.exports = {
  key: 'latest_events',
  noun: 'Event',
  display: { label: 'Find Latest Events', description: 'Finds the newest events of a condition, such as grade changes.' },
  operation: {
    inputFields: [
      whichTrigger,
      {
        key: 'limit',
        label: 'How Many',
        type: 'integer',
        default: '1',
        required: false,
        helpText: `The newest so many, up to ${MOST}.`,
      },
      itsFields,
    ],
    perform,
    sample: eventSample,
    outputFields: eventFields,
  },
};
