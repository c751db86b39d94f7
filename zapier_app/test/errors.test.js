'use strict';

// Each refusal as the error that Zapier knows what to do about, from a server that refuses as it is asked to.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { appAt } = require('./helpers');

const { App, run } = appAt('quiet');
let server;
let answer;

before(async () => {
  server = http.createServer((_request, response) => {
    response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env.BASE_URL = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

const refusedWith = async (status, message, headers = {}) => {
  answer = { status, headers, body: message && { error: { code: 'refused', message, field: null } } };
  try {
    await run(App.searches.find_token.operation.perform, { inputData: { q: 'BTC' }, authData: { apiKey: 'gw_live_x' } });
  } catch (error) {
    return error;
  }
  return assert.fail('it was not refused');
};
const said = (error) => JSON.parse(error.message);

test('a revoked key is asked for anew, and the runs wait', async () => {
  const error = await refusedWith(401, 'This key is revoked.');
  assert.equal(error.name, 'ExpiredAuthError');
  assert.match(error.message, /^This key is revoked\./);
});

test('what an account or plan does not include is said in the words of Gradewire', async () => {
  const error = await refusedWith(403, 'From the Premium plan on.');
  assert.deepEqual([error.name, said(error)], ['AppError', { message: 'From the Premium plan on.', code: 'Forbidden', status: 403 }]);
});

test('too many requests wait as long as is asked, and a data source that is away for a while likewise', async () => {
  for (const [status, headers, wait] of [
    [429, { 'Retry-After': '7' }, 7],
    [503, { 'Retry-After': '9' }, 9],
    [503, {}, 60],
  ]) {
    const error = await refusedWith(status, 'Later.', headers);
    assert.deepEqual([error.name, said(error).delay], ['ThrottledError', wait]);
  }
});

test('a failure of the server is an error, also where it says nothing readable', async () => {
  for (const [status, message] of [
    [500, 'Something went wrong here.'],
    [502, undefined],
  ]) {
    const error = await refusedWith(status, message);
    assert.deepEqual([error.name, said(error).code, said(error).status], ['AppError', 'ServerError', status]);
    assert.ok(said(error).message.length > 0 && said(error).message.length < 250);
  }
});

test('a field that is wrong is named', async () => {
  for (const status of [400, 404, 409, 422]) {
    const error = await refusedWith(status, 'level: It must be a number.');
    assert.deepEqual(said(error), { message: 'level: It must be a number.', code: 'InvalidData', status });
  }
});
