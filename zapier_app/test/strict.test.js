'use strict';

// Every trigger where the key has asked too often.

const assert = require('node:assert/strict');
const { before, describe, test } = require('node:test');
const { triggers } = require('../catalogue.json');
const { appAt, skip, someone } = require('./helpers');

const { App, run } = appAt('strict');

describe('where a key has asked too often', { skip }, () => {
  before(() => run(App.authentication.test).catch(() => {}));

  for (const trigger of triggers) {
    test(`${trigger.key}: Zapier waits as long as it is asked to`, async () => {
      const [instant, polled] = [App.triggers[trigger.key].operation, App.triggers[`${trigger.key}_poll`].operation];
      const bundle = { inputData: someone(trigger), targetUrl: 'https://hooks.example.com/1' };
      for (const perform of [polled.perform, instant.performList, instant.performSubscribe]) {
        await assert.rejects(run(perform, bundle), (error) => {
          assert.equal(error.name, 'ThrottledError');
          const { delay } = JSON.parse(error.message);
          return Number.isInteger(delay) && delay > 0 && delay <= 60;
        });
      }
    });
  }
});
