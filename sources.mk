# Sources, one per line. A program is its main file and what it needs of its directory and of lib.

SRC_lib := \
	lib/address.c \
	lib/bucket.c \
	lib/buf.c \
	lib/bug.c \
	lib/catalogue.c \
	lib/clients.c \
	lib/clock.c \
	lib/conf.c \
	lib/conf_table.c \
	lib/conf_pairs.c \
	lib/digest.c \
	lib/dnslist.c \
	lib/domain_list.c \
	lib/grant.c \
	lib/idn.c \
	lib/ip.c \
	lib/link.c \
	lib/log.c \
	lib/loop.c \
	lib/netstring.c \
	lib/network.c \
	lib/package.c \
	lib/program.c \
	lib/programs.c \
	lib/sandbox.c \
	lib/sandbox_exec.c \
	lib/siphash.c \
	lib/span.c \
	lib/utf8.c

# main: supervisor/main.c
SRC_supervisor := \
	supervisor/check.c \
	supervisor/check_clients.c \
	supervisor/check_dns.c \
	supervisor/check_host.c \
	supervisor/cli.c \
	supervisor/client_slots.c \
	supervisor/conf_errors.c \
	supervisor/conf_file.c \
	supervisor/conf_scan.c \
	supervisor/configuration.c \
	supervisor/control.c \
	supervisor/explain.c \
	supervisor/explain_stage.c \
	supervisor/generation.c \
	supervisor/libraries.c \
	supervisor/listeners.c \
	supervisor/log_relay.c \
	supervisor/recipients.c \
	supervisor/run.c \
	supervisor/rundir.c \
	supervisor/setup.c \
	supervisor/spawn.c \
	supervisor/status.c \
	supervisor/version.c \
	supervisor/wiring.c

# main: smtpd/main.c
SRC_smtpd := \
	smtpd/admission.c \
	smtpd/arrival.c \
	smtpd/avoid.c \
	smtpd/chunk.c \
	smtpd/cmd_bdat.c \
	smtpd/cmd_data.c \
	smtpd/cmd_helo.c \
	smtpd/cmd_help.c \
	smtpd/cmd_mail.c \
	smtpd/cmd_noop.c \
	smtpd/cmd_quit.c \
	smtpd/cmd_rcpt.c \
	smtpd/cmd_rset.c \
	smtpd/cmd_starttls.c \
	smtpd/cmd_vrfy.c \
	smtpd/command.c \
	smtpd/content.c \
	smtpd/counters.c \
	smtpd/data.c \
	smtpd/envelope.c \
	smtpd/groups.c \
	smtpd/header.c \
	smtpd/id.c \
	smtpd/input.c \
	smtpd/intake.c \
	smtpd/journal.c \
	smtpd/line.c \
	smtpd/listener.c \
	smtpd/message.c \
	smtpd/output.c \
	smtpd/parameters.c \
	smtpd/partners.c \
	smtpd/penalty.c \
	smtpd/pool.c \
	smtpd/proxy.c \
	smtpd/recall.c \
	smtpd/recheck.c \
	smtpd/recipients.c \
	smtpd/reply.c \
	smtpd/session.c \
	smtpd/state.c \
	smtpd/submission.c \
	smtpd/transaction.c \
	smtpd/worker.c

# main: tlsd/main.c (tlsd), tlsd/keys_main.c (tls-keys)
SRC_tlsd := \
	tlsd/certificate.c \
	tlsd/counters.c \
	tlsd/facts.c \
	tlsd/keyring.c \
	tlsd/keys_counters.c \
	tlsd/keys_crypto.c \
	tlsd/keys_serve.c \
	tlsd/pipe.c \
	tlsd/public_key.c \
	tlsd/relay.c \
	tlsd/session.c \
	tlsd/sign_check.c \
	tlsd/signer.c \
	tlsd/small_file.c \
	tlsd/tls_engine.c \
	tlsd/tlsd.c

# main: lookupd/main.c (lookupd), lookupd/recipients_main.c (gatehouse-recipients)
SRC_lookupd := \
	lookupd/accounts.c \
	lookupd/audit.c \
	lookupd/backend_names.c \
	lookupd/backend_probe.c \
	lookupd/build.c \
	lookupd/cdbfile.c \
	lookupd/child.c \
	lookupd/collection.c \
	lookupd/command.c \
	lookupd/compile.c \
	lookupd/counters.c \
	lookupd/database.c \
	lookupd/defaults.c \
	lookupd/diff.c \
	lookupd/dotqmail.c \
	lookupd/explain.c \
	lookupd/fastforward.c \
	lookupd/fault.c \
	lookupd/guard.c \
	lookupd/inspect.c \
	lookupd/installations.c \
	lookupd/keymap.c \
	lookupd/ldif.c \
	lookupd/ldif_source.c \
	lookupd/list.c \
	lookupd/list_reader.c \
	lookupd/loader.c \
	lookupd/lookup.c \
	lookupd/lookup_box.c \
	lookupd/lookup_domain.c \
	lookupd/observe.c \
	lookupd/options.c \
	lookupd/overlay.c \
	lookupd/overlay_edit.c \
	lookupd/parts.c \
	lookupd/passwd.c \
	lookupd/pattern.c \
	lookupd/pool.c \
	lookupd/postfix_accounts.c \
	lookupd/postfix_files.c \
	lookupd/postfix_domain.c \
	lookupd/postfix_final.c \
	lookupd/postfix_find.c \
	lookupd/postfix_leaf.c \
	lookupd/postfix_local.c \
	lookupd/postfix_local_text.c \
	lookupd/postfix_local_user.c \
	lookupd/postfix_names.c \
	lookupd/postfix_resolve.c \
	lookupd/postfix_rules.c \
	lookupd/postfix_setup.c \
	lookupd/postfix_sheet.c \
	lookupd/postfix_source.c \
	lookupd/postfix_table.c \
	lookupd/postfix_text.c \
	lookupd/program.c \
	lookupd/publish.c \
	lookupd/qmail.c \
	lookupd/qmail_boxes.c \
	lookupd/qmail_control.c \
	lookupd/qmail_domains.c \
	lookupd/qmail_files.c \
	lookupd/record_attrs.c \
	lookupd/record_box.c \
	lookupd/record_domain.c \
	lookupd/record_header.c \
	lookupd/record_key.c \
	lookupd/record_leaf.c \
	lookupd/records.c \
	lookupd/report.c \
	lookupd/resolve.c \
	lookupd/rules.c \
	lookupd/serve.c \
	lookupd/serve_answer.c \
	lookupd/serve_files.c \
	lookupd/shortcut.c \
	lookupd/source.c \
	lookupd/tree.c \
	lookupd/vpasswd.c \
	lookupd/vpopmail.c \
	lookupd/walk.c \
	lookupd/watch_sources.c

# main: validators/main.c (validators), validators/child_main.c (validator)
SRC_validators := \
	validators/budget.c \
	validators/checks.c \
	validators/child.c \
	validators/clients.c \
	validators/clients_note.c \
	validators/content_check.c \
	validators/counters.c \
	validators/dispatcher.c \
	validators/dkim.c \
	validators/dkim_engine.c \
	validators/dkim_fields.c \
	validators/dkim_signature.c \
	validators/dkim_warm_up.c \
	validators/dmarc.c \
	validators/dmarc_record.c \
	validators/dmarc_verdict.c \
	validators/dmarc_walk.c \
	validators/dns.c \
	validators/fingerprint.c \
	validators/facts.c \
	validators/foresight.c \
	validators/from.c \
	validators/image.c \
	validators/job_log.c \
	validators/job_queue.c \
	validators/jobs.c \
	validators/judge.c \
	validators/judged.c \
	validators/known.c \
	validators/note.c \
	validators/policy.c \
	validators/policy_client.c \
	validators/processes.c \
	validators/questions.c \
	validators/received.c \
	validators/replays.c \
	validators/sealed.c \
	validators/sender.c \
	validators/spf.c \
	validators/spf_canon.c \
	validators/spf_engine.c \
	validators/spf_macro.c \
	validators/spf_record.c \
	validators/spf_run.c \
	validators/suffix.c \
	validators/transaction.c \
	validators/zygote.c

# main: resolverd/main.c
SRC_resolverd := \
	resolverd/counters.c \
	resolverd/packet.c \
	resolverd/recursor.c \
	resolverd/service.c \
	resolverd/traffic.c

# main: queue-handoff/main.c, queue-handoff/helper_main.c
SRC_queue-handoff := \
	queue-handoff/aftermath.c \
	queue-handoff/answer.c \
	queue-handoff/backends.c \
	queue-handoff/complaints.c \
	queue-handoff/connect.c \
	queue-handoff/converse.c \
	queue-handoff/counters.c \
	queue-handoff/deliver.c \
	queue-handoff/grants.c \
	queue-handoff/handoff.c \
	queue-handoff/header.c \
	queue-handoff/health.c \
	queue-handoff/helper_counters.c \
	queue-handoff/idle.c \
	queue-handoff/job.c \
	queue-handoff/lines.c \
	queue-handoff/links.c \
	queue-handoff/parts.c \
	queue-handoff/protocol.c \
	queue-handoff/qmqp.c \
	queue-handoff/qmtp.c \
	queue-handoff/queue_exit.c \
	queue-handoff/queue_run.c \
	queue-handoff/recent.c \
	queue-handoff/repeats.c \
	queue-handoff/report.c \
	queue-handoff/send.c \
	queue-handoff/smtp.c \
	queue-handoff/smtp_reply.c \
	queue-handoff/trace.c

# main: backend/main.c (gatehouse-maildir)
SRC_backend := \
	backend/maildir.c \
	backend/server.c
