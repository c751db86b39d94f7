'use strict';

const { itsFields, whichTrigger, wish } = require('../lib/catalogue');
const { ask } = require('../lib/http');

const perform = async (z, bundle) => {
  const body = { ...wish(bundle.inputData), destination_id: bundle.inputData.destination_id };
  const made = await ask(z, '/v1/subscriptions', { method: 'POST', body });
  const { id, trigger, destination_id, destination, channel, status, cost } = made;
  return { id, trigger, destination_id, destination, channel, status, calls_a_month: cost.added_calls_a_month, cost: cost.text };
};

module.exports = {
  key: 'create_watch',
  noun: 'Watch',
  display: { label: 'Create Watch', description: 'Creates a watch that tells one of your destinations of new events.' },
  operation: {
    inputFields: [
      {
        key: 'destination_id',
        label: 'Destination',
        type: 'string',
        dynamic: 'list_destinations.id.name',
        required: true,
        helpText: 'Where it tells: an e-mail address, a channel or a sheet that you set up in Gradewire.',
      },
      whichTrigger,
      itsFields,
    ],
    perform,
    sample: {
      id: 'sub_hq3s6kq7vnyxw2ua',
      trigger: 'grade_changed',
      destination_id: 'dst_4m2kq7vnyxw2uahq',
      destination: 'Me',
      channel: 'email',
      status: 'active',
      calls_a_month: 31,
      cost: '+31 calls a month (31 of 20,000 with all that is wanted).',
    },
    outputFields: [
      { key: 'id', label: 'Watch ID', type: 'string' },
      { key: 'trigger', label: 'Condition', type: 'string' },
      { key: 'destination_id', label: 'Destination ID', type: 'string' },
      { key: 'destination', label: 'Destination', type: 'string' },
      { key: 'channel', label: 'Channel', type: 'string' },
      { key: 'status', label: 'Status', type: 'string' },
      { key: 'calls_a_month', label: 'Calls A Month', type: 'integer' },
      { key: 'cost', label: 'Cost In Words', type: 'string' },
    ],
  },
};
