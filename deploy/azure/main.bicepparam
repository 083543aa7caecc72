using './main.bicep'

param name = 'contoso-risksweep'
param scheduleNcrontab = '0 0 2 * * *'
param scheduleMode = 'plan'

// Begin read-only: plans and reports. Allow one kind of action after the other
// when the reports say what you would have done yourself.
param dismiss = false
param policies = false
