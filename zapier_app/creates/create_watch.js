'use strict';

const { itsFields, whichTrigger, wish } = require('../lib/catalogue');
const { ask, pageUrl } = require('../lib/http');

/** With a destination it tells there; without one its events are kept, for searches and for whoever reads the feed. */
const perform = async (z, bundle) => {
  const { destination_id: place } = bundle.inputData;
  const asked = wish(bundle.inputData);
  const made = place
    ? await ask(z, '/v1/subscriptions', { method: 'POST', body: { ...asked, destination_id: place } })
    : await ask(z, '/v1/watches', { method: 'POST', body: asked });
  return {
    id: made.id,
    trigger: made.trigger,
    destination_id: made.destination_id || null,
    destination: made.destination || null,
    channel: made.channel || null,
    feed: made.feed ? pageUrl(made.feed) : null,
    calls_a_month: made.cost.added_calls_a_month,
    cost: made.cost.text,
  };
};

module.exports = {
  key: 'create_watch',
  noun: 'Watch',
  display: { label: 'Create Watch', description: 'Creates a watch for new events, which keeps them or tells one of your destinations.' },
  operation: {
    inputFields: [
      {
        key: 'destination_id',
        label: 'Destination',
        type: 'string',
        dynamic: 'list_destinations.id.name',
        required: false,
        helpText: 'Where it tells: an e-mail address, a channel or a sheet of yours. Empty means that events are only kept.',
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
      feed: null,
      calls_a_month: 31,
      cost: '+31 calls a month (31 of 20,000 with all that is wanted).',
    },
    outputFields: [
      { key: 'id', label: 'Watch ID', type: 'string' },
      { key: 'trigger', label: 'Condition', type: 'string' },
      { key: 'destination_id', label: 'Destination ID', type: 'string' },
      { key: 'destination', label: 'Destination', type: 'string' },
      { key: 'channel', label: 'Channel', type: 'string' },
      { key: 'feed', label: 'Feed', type: 'string' },
      { key: 'calls_a_month', label: 'Calls A Month', type: 'integer' },
      { key: 'cost', label: 'Cost In Words', type: 'string' },
    ],
  },
};
