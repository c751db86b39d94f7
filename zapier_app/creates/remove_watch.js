'use strict';

const { ask } = require('../lib/http');

/** Also fine where it is gone already. */
const perform = async (z, bundle) => {
  const { watch_id: id } = bundle.inputData;
  const path = String(id).startsWith('sub_') ? '/v1/subscriptions' : '/v1/watches';
  await ask(z, `${path}/${encodeURIComponent(id)}`, { method: 'DELETE' });
  return { id, removed: true };
};

module.exports = {
  key: 'remove_watch',
  noun: 'Watch',
  display: { label: 'Remove Watch', description: 'Removes a watch, so that it tells nothing more.' },
  operation: {
    inputFields: [
      {
        key: 'watch_id',
        label: 'Which Watch',
        type: 'string',
        dynamic: 'list_watches.id.name',
        required: true,
        helpText: 'One of those that you made in Gradewire or by an action.',
      },
    ],
    perform,
    sample: { id: 'sub_hq3s6kq7vnyxw2ua', removed: true },
    outputFields: [
      { key: 'id', label: 'Watch ID', type: 'string' },
      { key: 'removed', label: 'Removed', type: 'boolean' },
    ],
  },
};
