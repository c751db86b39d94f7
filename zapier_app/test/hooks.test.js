'use strict';

// What arrives at a Zap's address, as runs.

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const { triggers } = require('../catalogue.json');
const { newSecret } = require('../lib/signature');
const { appAt } = require('./helpers');

const { App, run } = appAt('quiet');
const sampleOf = (key) => triggers.find((trigger) => trigger.key === key).sample;

/** A message as Gradewire sends it and Zapier hands it over. */
const arrived = (key, message, inputData = {}) => {
  const [secret, content] = [newSecret(), JSON.stringify(message)];
  const signed = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${message.id}.1.${content}`).digest('base64');
  const headers = { 'Http-Webhook-Id': message.id, 'Http-Webhook-Timestamp': '1', 'Http-Webhook-Signature': `v1,${signed}` };
  const bundle = { inputData, subscribeData: { secret }, rawRequest: { method: 'POST', headers, content } };
  return run(App.triggers[key].operation.perform, { ...bundle, cleanedRequest: { ...message, querystring: {} } });
};

test('an event is one run, as it was sent, without what Zapier adds', async () => {
  assert.deepEqual(await arrived('grade_changed', sampleOf('grade_changed')), [sampleOf('grade_changed')]);
});

test('a digest of events that waited long is a run for each of them', async () => {
  const events = [sampleOf('grade_changed'), { ...sampleOf('grade_changed'), id: 'evt_other' }];
  const digest = { schema: 1, id: 'dig_1', type: 'digest', delayed: true, count: 2, summary: '2 events', events };
  assert.deepEqual(await arrived('grade_changed', digest), events);
});

test('a correction is no alert: it runs its own trigger and no other', async () => {
  const correction = sampleOf('data_corrected');
  assert.deepEqual(await arrived('grade_changed', correction), []);
  assert.deepEqual(await arrived('data_corrected', correction), [correction]);
});

test('a bundle is one run of the condition that was asked for', async () => {
  const { sample } = App.triggers.events_bundled.operation;
  assert.deepEqual(await arrived('events_bundled', sample, { trigger: sample.trigger }), [sample]);
  assert.deepEqual(await arrived('events_bundled', sample, { trigger: 'price_moved' }), []);
  assert.deepEqual(await arrived('grade_changed', sample), []);
});

test('unsubscribing what was never subscribed is no error', async () => {
  assert.deepEqual(await run(App.triggers.grade_changed.operation.performUnsubscribe, {}), { id: null });
});
