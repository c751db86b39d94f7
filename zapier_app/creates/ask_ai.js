'use strict';

const { ask } = require('../lib/http');

module.exports = {
  key: 'ask_ai',
  noun: 'Answer',
  display: { label: 'Create AI Answer', description: 'Creates an answer by Token Metrics AI to a question about the market.' },
  operation: {
    inputFields: [
      {
        key: 'question',
        label: 'Question',
        type: 'text',
        required: true,
        helpText: 'Such as: What is the outlook of Bitcoin? It takes 1 call of your Token Metrics plan, and some seconds.',
      },
    ],
    perform: (z, bundle) => ask(z, '/v1/tmai', { method: 'POST', body: { question: bundle.inputData.question } }),
    sample: {
      question: 'What is the outlook of Bitcoin?',
      answer: "Bitcoin's trader grade is 84, and its trend is bullish since 3 May 2024.",
      sandbox: false,
    },
    outputFields: [
      { key: 'question', label: 'Question', type: 'string' },
      { key: 'answer', label: 'Answer', type: 'string' },
      { key: 'sandbox', label: 'Is Sandbox Data', type: 'boolean' },
    ],
  },
};
