'use strict';

// Every trigger where nothing has happened yet, and with a key that nobody knows.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { triggers } = require('../catalogue.json');
const { appAt, skip, someone } = require('./helpers');

const { App, run } = appAt('quiet');

describe('where nothing has happened', { skip }, () => {
  for (const trigger of triggers) {
    const [instant, polled] = [App.triggers[trigger.key].operation, App.triggers[`${trigger.key}_poll`].operation];
    const inputData = someone(trigger);

    test(`${trigger.key}: a poll is empty, and the editor is shown an event that says it is made up`, async () => {
      for (const meta of [{ isPopulatingDedupe: true }, {}]) {
        assert.deepEqual(await run(polled.perform, { inputData, meta }), []);
      }
      const shown = await run(polled.perform, { inputData, meta: { isLoadingSample: true } });
      assert.deepEqual(shown.map((event) => event.is_sample), [true]);
      assert.deepEqual(await run(instant.performList, { inputData }), shown);
      assert.deepEqual(Object.keys(shown[0]), Object.keys(trigger.sample));
    });

    test(`${trigger.key}: an unknown key is asked for anew`, async () => {
      const bundle = { inputData, authData: { apiKey: 'gw_live_nobody' }, targetUrl: 'https://hooks.example.com/1' };
      for (const perform of [polled.perform, instant.performList, instant.performSubscribe]) {
        await assert.rejects(run(perform, bundle), { name: 'ExpiredAuthError' });
      }
    });
  }
});
