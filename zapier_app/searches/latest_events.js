'use strict';

const { eventFields, eventSample, whichTrigger } = require('../lib/catalogue');
const { dynamic } = require('../lib/fields');
const { ask } = require('../lib/http');

const MOST = 10;

const perform = (z, bundle) => {
  const { trigger, token, limit } = bundle.inputData;
  return ask(z, '/v1/events/latest', { params: { trigger, token, limit: limit || 1 } });
};

module.exports = {
  key: 'latest_events',
  noun: 'Event',
  display: { label: 'Find Latest Events', description: 'Finds the newest events of a condition, such as grade changes.' },
  operation: {
    inputFields: [
      { ...whichTrigger, altersDynamicFields: false, helpText: 'Its events are found with whatever options somebody watches it.' },
      { key: 'token', label: 'Of Token', type: 'string', required: false, helpText: 'Empty means any.', ...dynamic('tokens') },
      { key: 'limit', label: 'How Many', type: 'integer', required: false, helpText: `Empty means 1, the newest; up to ${MOST}.` },
    ],
    perform,
    sample: eventSample,
    outputFields: eventFields,
  },
};
