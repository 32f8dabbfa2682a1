# Generated documentation; included by the Makefile.

GENDOC := $(BUILD)/tools/gendoc
GENDOC_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,tools/gendoc.c tools/doc_markdown.c tools/doc_mdoc.c \
	tools/doc_sample.c tools/doc_tables.c)
GENERATED := gatehouse.conf.sample catalogue.md replies.md log.md metrics.md

$(GENDOC): $(GENDOC_OBJ) $(BUILD)/obj/lib.a
	$(LINK) $(LIBS_lib)

docs: $(GENDOC)
	for file in $(GENERATED); do $(GENDOC) $$file >docs/$$file || exit 1; done
	for page in docs/*.[58]; do \
		$(GENDOC) fill $$page >$$page.new && mv $$page.new $$page || exit 1; done

check-docs: all $(GENDOC) $(BUILD)/.deps-check
	tools/check-docs $(BUILD)
